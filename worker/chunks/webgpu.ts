/** dist/makemore-web/webgpu.js, loaded when a GPU is to train. */
import * as webgpu from "../engines/webgpu";

globalThis.makemoreWebChunks = { ...globalThis.makemoreWebChunks, webgpu };
