/** dist/ort.js: ONNX Runtime without its WebAssembly, loaded at the first sample. */
export * from "onnxruntime-web/wasm";
