/** All architectures, each under its name in the option `model`. To add one, write its file and add a line here. */
export { bigram } from "./bigram";
export { bow } from "./bow";
export { gru } from "./gru";
export { lstm } from "./lstm";
export { microgpt } from "./microgpt";
export { mlp } from "./mlp";
export { rnn } from "./rnn";
export { transformer } from "./transformer";
export { wavenet } from "./wavenet";
