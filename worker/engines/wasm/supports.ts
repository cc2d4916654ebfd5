import type { BlockChain } from "../../model/blocks";
import type { Network } from "../../model/network";
import { optimizerKind } from "../../optimizers";
import type { EngineSetup } from "../engine";
import { unknownLayer } from "./plan";

/** Returns why the wasm engine cannot train this, or undefined if it can. */
export function refusal({
  network,
  optimizer,
}: Pick<EngineSetup, "network" | "optimizer">): string | undefined {
  if (network.example === "window" && !network.chain)
    return 'The wasm engine trains an Embedding and then levels of FlattenConsecutive, Linear, BatchNorm1d and Tanh, in this order; only the Linear is required. For other models set backend: "tfjs".';
  const unknown = network.example === "word" ? unknownLayer(network.layers) : undefined;
  if (unknown)
    return `The wasm engine has no kernel for the layer ${unknown.name} in a network that reads words; set backend: "tfjs".`;
  if (!optimizerKind(optimizer).wasm)
    return `The wasm engine does not support the optimizer "${optimizer.type}"; set backend: "tfjs".`;
  return undefined;
}

/** Returns the blocks of a network that reads windows. Call it only if `refusal` returned undefined. */
export function chainOf({ chain }: Network): BlockChain {
  if (!chain) throw new Error("A network of windows that the wasm engine takes is a chain of blocks.");
  return chain;
}
