/** dist/makemore-web/tfjs.js: what needs tfjs, loaded when it is first asked for. */
import { createTfjsEngine } from "../engines/tfjs";
import { createTfjsPredictor } from "../engines/tfjs/predictor";
import { createWebGPUEngine } from "../engines/webgpu";

export { createTfjsEngine, createTfjsPredictor, createWebGPUEngine };

globalThis.makemoreWebChunks = {
  ...globalThis.makemoreWebChunks,
  tfjs: { createTfjsEngine, createTfjsPredictor, createWebGPUEngine },
};
