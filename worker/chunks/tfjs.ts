/** dist/tfjs.js: the engines that need tfjs, loaded when one of them is first asked for. */
export { createTfjsEngine } from "../engines/tfjs";
export { createWebGPUEngine } from "../engines/webgpu";
