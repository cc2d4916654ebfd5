import type { EngineKind } from "../engine";
import { warmUpKernels } from "./builds";
import { createWasmEngine } from "./index";
import { createWasmPredictor } from "./predictor";
import { refusal } from "./supports";

/** This package's SIMD WebAssembly engine. */
export const wasm: EngineKind = {
  rank: 1,
  refuses: refusal,
  warmUp: warmUpKernels,
  open: (setup) => createWasmEngine(setup),
  openPredictor: (network, most) => createWasmPredictor(network, most),
};
