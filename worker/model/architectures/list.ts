/** The architectures there are, each under the name that `model` takes. To add one: its file, and a line here. */
export { mlp } from "./mlp";
export { wavenet } from "./wavenet";
