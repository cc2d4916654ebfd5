/**
 * Contents of dist/makemore-web/tfjs.js: the engines that are large or need tfjs, and tfjs's predictor. Their
 * `kind.ts` loads it on first use. Code outside this chunk may import only this file's type.
 */
export { createTfjsEngine } from "./tfjs";
export { createTfjsPredictor } from "./tfjs/predictor";
export { createWebGPUEngine } from "./webgpu";
