/**
 * Contents of dist/makemore-web/tfjs.js: everything that needs tfjs. A `kind.ts` loads it on first use. Code outside
 * this chunk may import only this file's type.
 */
export { createTfjsEngine } from "./tfjs";
export { createTfjsPredictor } from "./tfjs/predictor";
export { sharedTensors } from "./tfjs/sharedTensors";
