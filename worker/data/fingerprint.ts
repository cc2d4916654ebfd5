/**
 * Which words a training had, and in which split each of them is, in three numbers. An .onnx file has no
 * words, but with these `resume` notices others: words in another order are split in another way, and
 * those that the model is validated on would be trained on.
 */
import { MakemoreError } from "../../src/errors";
import { ITEMS, type Work } from "../../src/slices";
import type { Dataset, TokenStream } from "./dataset";
import { BOUNDARY } from "./vocabulary";

export interface Fingerprint {
  /** Words, repeats included. */
  readonly count: number;
  /** Hash of the words in their order and splits, 32 bits. */
  readonly order: number;
  /** Hash of the words in any order, 32 bits. */
  readonly set: number;
}

/** The fingerprint of a dataset. */
export function* fingerprintWork({ train, validation, test, stats }: Dataset): Work<Fingerprint> {
  let words = 0;
  let order = 0;
  let set = 0;
  for (const stream of [train, validation, test]) {
    for (const hash of wordHashes(stream)) {
      order = mix(order ^ hash);
      set = (set + hash) >>> 0;
      if (++words % ITEMS === 0) yield;
    }
    // The end of a split; no word is empty.
    order = mix(order ^ FNV_OFFSET);
  }
  return { count: stats.count, order, set };
}

/**
 * Refuses words that are not those of the training.
 *
 * @param call the method they were given to, for messages
 * @throws MakemoreError `INVALID_WORDS`
 */
export function refuseOtherWords(call: string, expected: Fingerprint, given: Fingerprint): void {
  refuseOtherOrder(call, expected, given);
  if (given.order === expected.order) return;
  throw new MakemoreError(
    "INVALID_WORDS",
    `${call}: the training had ${expected.count} words, and these are ${given.count === expected.count ? "as many others" : given.count}; give the words of the training in their order, or train a new model on these.`,
  );
}

/** As `refuseOtherWords`, but takes words that the training did not have. */
export function refuseOtherOrder(call: string, expected: Fingerprint, given: Fingerprint): void {
  if (given.set !== expected.set || given.count !== expected.count || given.order === expected.order) return;
  throw new MakemoreError(
    "INVALID_WORDS",
    `${call}: these are the ${expected.count} words of the training in another order, which would mix the words it learns with those it is validated on; give them in the order of the training.`,
  );
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

function* wordHashes(stream: TokenStream): Generator<number> {
  let hash = FNV_OFFSET;
  // Every word ends with a boundary; the first one is before the first word.
  for (let i = 1; i < stream.length; i++) {
    const token = stream[i] ?? BOUNDARY;
    if (token !== BOUNDARY) hash = Math.imul(hash ^ token, FNV_PRIME);
    else {
      yield mix(hash);
      hash = FNV_OFFSET;
    }
  }
}

/** Spreads 32 bits over 32 bits: the finalizer of MurmurHash3. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
