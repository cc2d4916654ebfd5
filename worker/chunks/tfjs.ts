/** dist/makemore-web/tfjs.js: what needs tfjs, loaded when it is first asked for. */
import type { TfjsChunk } from "../engines/engine";
import { createTfjsEngine } from "../engines/tfjs";
import { createTfjsPredictor } from "../engines/tfjs/predictor";
import { createWebGPUEngine } from "../engines/webgpu";

const tfjs: TfjsChunk = { createTfjsEngine, createTfjsPredictor, createWebGPUEngine };

// Left on the global object, not exported: some bundlers minify the file as a classic script.
globalThis.makemoreWebChunks = { ...globalThis.makemoreWebChunks, tfjs };
