/** The layers there are, each under its `type`. To add one: its file, and a line here. */
export { BatchNorm1d } from "./batchNorm1d";
export { Embedding } from "./embedding";
export { FlattenConsecutive } from "./flattenConsecutive";
export { GELU } from "./gelu";
export { LayerNorm } from "./layerNorm";
export { Linear } from "./linear";
export { ReLU } from "./relu";
export { RMSNorm } from "./rmsNorm";
export { Tanh } from "./tanh";
