import type { BlockChain } from "../../model/blocks";
import type { Network } from "../../model/network";
import { optimizerKind } from "../../optimizers";
import type { EngineSetup } from "../engine";
import { unknownLayer } from "./plan";

/** Why the wasm engine does not train this, or undefined if it does. */
export function refusal({
  network,
  optimizer,
}: Pick<EngineSetup, "network" | "optimizer">): string | undefined {
  if (network.example === "window" && !network.chain)
    return 'The wasm engine runs an Embedding and then FlattenConsecutive, Linear, BatchNorm1d and Tanh in this order, of which all but Linear may be missing; for another order take backend: "tfjs".';
  const unknown = network.example === "word" ? unknownLayer(network.layers) : undefined;
  if (unknown)
    return `The wasm engine has no kernel for the layer ${unknown.name} in a network that reads words; take backend: "tfjs".`;
  if (!optimizerKind(optimizer).wasm)
    return `The wasm engine does not know the optimizer "${optimizer.type}"; take backend: "tfjs".`;
  return undefined;
}

/** The blocks of a network that reads windows, once it is known that the engine does not refuse it. */
export function chainOf({ chain }: Network): BlockChain {
  if (!chain) throw new Error("A network of windows that the wasm engine takes is a chain of blocks.");
  return chain;
}
