import type { BlockChain } from "../../model/blocks";
import { optimizerKind } from "../../optimizers";
import type { EngineSetup } from "../engine";

/** The blocks that the wasm engine trains, or why it does not train this. */
export function supportedChain({
  network,
  optimizer,
}: Pick<EngineSetup, "network" | "optimizer">): BlockChain | string {
  if (!network.chain)
    return 'The wasm engine runs an Embedding and then FlattenConsecutive, Linear, BatchNorm1d and Tanh in this order, of which all but Linear may be missing; for another order take backend: "tfjs".';
  if (!optimizerKind(optimizer).wasm)
    return `The wasm engine does not know the optimizer "${optimizer.type}"; take backend: "tfjs".`;
  return network.chain;
}
