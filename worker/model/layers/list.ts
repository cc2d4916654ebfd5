/**
 * The layers there are, each under its `type`, and what describes one. To add one: its file, a line here, and its
 * description in `LayerSpec`.
 */
import type { BatchNorm1dSpec } from "./batchNorm1d";
import type { CausalMeanSpec } from "./causalMean";
import type { CausalSelfAttentionSpec } from "./causalSelfAttention";
import type { EmbeddingSpec } from "./embedding";
import type { FlattenConsecutiveSpec } from "./flattenConsecutive";
import type { GELUSpec } from "./gelu";
import type { GRUSpec } from "./gru";
import type { LayerNormSpec } from "./layerNorm";
import type { LinearSpec } from "./linear";
import type { LSTMSpec } from "./lstm";
import type { PositionEmbeddingSpec } from "./positionEmbedding";
import type { ReLUSpec } from "./relu";
import type { ResidualSpec } from "./residual";
import type { RMSNormSpec } from "./rmsNorm";
import type { RNNSpec } from "./rnn";
import type { TanhSpec } from "./tanh";

export { BatchNorm1d } from "./batchNorm1d";
export { CausalMean } from "./causalMean";
export { CausalSelfAttention } from "./causalSelfAttention";
export { Embedding } from "./embedding";
export { FlattenConsecutive } from "./flattenConsecutive";
export { GELU } from "./gelu";
export { GRU } from "./gru";
export { LayerNorm } from "./layerNorm";
export { Linear } from "./linear";
export { LSTM } from "./lstm";
export { PositionEmbedding } from "./positionEmbedding";
export { ReLU } from "./relu";
export { Residual } from "./residual";
export { RMSNorm } from "./rmsNorm";
export { RNN } from "./rnn";
export { Tanh } from "./tanh";

/**
 * One layer of an explicit model, in the lecture's terms. Shapes are [positions, channels], without the batch. A
 * model of windows starts from [contextLength] characters and must end at [1, vocabulary]. One that reads words, by
 * a layer such as a GRU, ends at [positions, vocabulary].
 */
export type LayerSpec =
  | BatchNorm1dSpec
  | CausalMeanSpec
  | CausalSelfAttentionSpec
  | EmbeddingSpec
  | FlattenConsecutiveSpec
  | GELUSpec
  | GRUSpec
  | LayerNormSpec
  | LinearSpec
  | LSTMSpec
  | PositionEmbeddingSpec
  | ReLUSpec
  | ResidualSpec
  | RMSNormSpec
  | RNNSpec
  | TanhSpec;
