import type { EngineKind } from "../engine";

/** Automatic differentiation: trains any network, on the backend that tfjs finds. */
export const tfjs: EngineKind = {
  rank: 0,
  refuses: () => undefined,
  warmUp: (_, files) => files.tfjs(),
  open: async (setup, files) =>
    (await files.tfjs()).createTfjsEngine(setup, { wasmURL: files.tfjsWasmURL() }),
  openPredictor: async (network, most, files) =>
    (await files.tfjs()).createTfjsPredictor(network, most, { wasmURL: files.tfjsWasmURL() }),
};
