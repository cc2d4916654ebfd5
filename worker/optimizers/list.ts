/** All optimisers, each under its `type`. To add one, write its file and add a line here. */
export { adamw } from "./adamw";
export { lion } from "./lion";
export { sgd } from "./sgd";
