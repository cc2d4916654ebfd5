/** The architectures there are, each under the name that `model` takes. To add one: its file, and a line here. */
export { bigram } from "./bigram";
export { bow } from "./bow";
export { gru } from "./gru";
export { lstm } from "./lstm";
export { microgpt } from "./microgpt";
export { mlp } from "./mlp";
export { rnn } from "./rnn";
export { transformer } from "./transformer";
export { wavenet } from "./wavenet";
