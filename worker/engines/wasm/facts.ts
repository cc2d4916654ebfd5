import { optimizerKind } from "../../optimizers";
import type { EngineFacts } from "../engine";

/** This package's SIMD WebAssembly. */
export const wasm: EngineFacts = {
  backend: "wasm",
  rank: 1,
  refuses: ({ network, optimizer }) => {
    if (!network.chain)
      return 'The wasm engine runs an Embedding and then FlattenConsecutive, Linear, BatchNorm1d and Tanh in this order, of which all but Linear may be missing; for another order take backend: "tfjs".';
    if (!optimizerKind(optimizer).wasm)
      return `The wasm engine does not know the optimizer "${optimizer.type}"; take backend: "tfjs".`;
    return undefined;
  },
};
