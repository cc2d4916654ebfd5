/**
 * A network in evaluation mode, to be asked again and again while it trains: the logits of what
 * follows each context. It needs no file that the training has not loaded already, so watching the
 * validation loss does not fetch ONNX Runtime.
 */
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";

export interface Predictor {
  /** Takes over the values of every parameter of the network, running statistics included. */
  load(parameters: Parameters): void;
  /**
   * Predicts at most `batchSize` contexts.
   *
   * @param contexts ids, [count, contextLength]; see `readContext`
   * @returns logits, [count, vocabulary]; valid until the next call
   */
  predict(contexts: Uint32Array): Promise<Float32Array>;
  /** Most contexts of one call of `predict`. */
  readonly batchSize: number;
  /** Gives back all memory. Safe to call twice. */
  dispose(): void;
}

/**
 * Makes a predictor, or throws `MakemoreError` `UNSUPPORTED` if the network or the machine is not for it.
 *
 * @param most contexts of one call, at most
 */
export type PredictorFactory = (network: Network, most: number) => Promise<Predictor>;
