/** dist/makemore-web/tfjs.js: the engines that need tfjs, loaded when one of them is first asked for. */
import { createTfjsEngine } from "../engines/tfjs";
import { createWebGPUEngine } from "../engines/webgpu";

export { createTfjsEngine, createWebGPUEngine };

globalThis.makemoreWebChunks = {
  ...globalThis.makemoreWebChunks,
  tfjs: { createTfjsEngine, createWebGPUEngine },
};
