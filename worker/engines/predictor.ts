/**
 * A network in evaluation mode, used repeatedly during training. It gives the logits of the next character
 * for each context, or for each prefix of a word. It needs only files that training has loaded already, so
 * watching the validation loss does not fetch ONNX Runtime.
 */
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";

export interface Predictor {
  /** Loads the values of all parameters of the network, running statistics included. */
  load(parameters: Parameters): void;
  /**
   * Predicts at most `batchSize` rows. Each row is a context (see `readContext`); if the network reads words,
   * it is the boundary and a prefix of a word, padded at the end with 0.
   *
   * @param tokens ids, [rows, time]
   * @param time positions of a row: the context length; for words, at most the context length
   * @returns logits, [rows, vocabulary], or for words [rows, time, vocabulary], with arbitrary numbers at
   *   padding; valid until the next call
   */
  predict(tokens: Uint32Array, time: number): Promise<Float32Array>;
  /** Maximum number of rows per call of `predict`. */
  readonly batchSize: number;
  /** Frees all memory. Safe to call twice. */
  dispose(): void;
}

/**
 * Makes a predictor, or throws `MakemoreError` `UNSUPPORTED` if it cannot run this network or does not run on
 * this machine.
 *
 * @param most maximum number of rows per call
 */
export type PredictorFactory = (network: Network, most: number) => Promise<Predictor>;
