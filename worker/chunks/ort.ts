/** dist/makemore-web/ort.js: ONNX Runtime without its WebAssembly, loaded at the first sample. */
import * as ort from "onnxruntime-web/wasm";

globalThis.makemoreWebChunks = { ...globalThis.makemoreWebChunks, ort };
