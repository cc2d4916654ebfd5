/**
 * makemore-web: train a small character-level language model on a list of words, in the visitor's
 * own browser, and make more words like them. Karpathy's makemore, part 5, as a library.
 *
 * @module makemore-web
 * @category Reference
 */
import { Makemore } from "./makemore";

export { MakemoreError, type MakemoreErrorCode } from "./errors";
export { Makemore } from "./makemore";
export type * from "./types";

/** A shared instance; its worker starts on first use. */
const makemore: Makemore = new Makemore();
export default makemore;
