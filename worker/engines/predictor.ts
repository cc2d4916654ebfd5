/**
 * A network in evaluation mode, to be asked again and again while it trains: the logits of what
 * follows each context, or each beginning of a word. It needs no file that the training has not loaded already, so watching the
 * validation loss does not fetch ONNX Runtime.
 */
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";

export interface Predictor {
  /** Takes over the values of every parameter of the network, running statistics included. */
  load(parameters: Parameters): void;
  /**
   * Predicts at most `batchSize` rows, each a context (see `readContext`), or, if the network reads words, the
   * boundary and the beginning of a word, padded at its end with 0.
   *
   * @param tokens ids, [rows, time]
   * @param time positions of a row: the context length, or for words at most that
   * @returns logits, [rows, vocabulary], for words those of each position, [rows, time, vocabulary], in which
   *   padding has any numbers; valid until the next call
   */
  predict(tokens: Uint32Array, time: number): Promise<Float32Array>;
  /** Most rows of one call of `predict`. */
  readonly batchSize: number;
  /** Gives back all memory. Safe to call twice. */
  dispose(): void;
}

/**
 * Makes a predictor, or throws `MakemoreError` `UNSUPPORTED` if the network or the machine is not for it.
 *
 * @param most rows of one call, at most
 */
export type PredictorFactory = (network: Network, most: number) => Promise<Predictor>;
