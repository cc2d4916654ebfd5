import { wasmEngineTests } from "../wasm";

wasmEngineTests("simd");
