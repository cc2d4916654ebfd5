import type { BlockChain } from "../../model/blocks";
import { optimizerKind } from "../../optimizers";
import type { EngineSetup } from "../engine";

/** Returns the blocks for the webgpu engine, or why it cannot train this. */
export function supportedChain({
  network,
  optimizer,
}: Pick<EngineSetup, "network" | "optimizer">): BlockChain | string {
  if (!network.chain)
    return "The webgpu backend trains an Embedding and then levels of FlattenConsecutive, Linear, BatchNorm1d and Tanh, in this order; use the tfjs backend for other models.";
  if (!optimizerKind(optimizer).wgsl)
    return `The webgpu backend does not support the optimizer "${optimizer.type}"; use the tfjs backend.`;
  return network.chain;
}
