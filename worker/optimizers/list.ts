/** The optimisers there are, each under its `type`. To add one: its file, and a line here. */
export { adamw } from "./adamw";
export { lion } from "./lion";
export { sgd } from "./sgd";
