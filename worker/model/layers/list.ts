/** All layers, each under its `type`. To add one, write its file and add a line here. */
export * from "./batchNorm1d";
export * from "./causalMean";
export * from "./causalSelfAttention";
export * from "./embedding";
export * from "./flattenConsecutive";
export * from "./gelu";
export * from "./gru";
export * from "./layerNorm";
export * from "./linear";
export * from "./lstm";
export * from "./positionEmbedding";
export * from "./relu";
export * from "./residual";
export * from "./rmsNorm";
export * from "./rnn";
export * from "./tanh";
