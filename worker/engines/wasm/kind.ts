import type { EngineKind } from "../engine";
import { createWasmEngine } from "./index";
import { createWasmPredictor } from "./predictor";
import { supportedChain } from "./supports";

/** This package's SIMD WebAssembly. */
export const wasm: EngineKind = {
  rank: 1,
  refuses: (setup) => {
    const chain = supportedChain(setup);
    return typeof chain === "string" ? chain : undefined;
  },
  open: (setup) => createWasmEngine(setup),
  openPredictor: (network, most) => createWasmPredictor(network, most),
};
