/**
 * What dist/makemore-web/tfjs.js has: the engines that are large or need tfjs, and tfjs's predictor. Their `kind.ts` loads it
 * when it is first asked for; nothing that is loaded early imports more than this file's type.
 */
export { createTfjsEngine } from "./tfjs";
export { createTfjsPredictor } from "./tfjs/predictor";
export { createWebGPUEngine } from "./webgpu";
