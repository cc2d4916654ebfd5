/**
 * Identifies the words of a training and their splits by three numbers. An .onnx file does not store the words, so
 * `resume` uses the fingerprint to reject other words, and the same words in another order: they would be split
 * differently, and the training would see words of the validation split.
 */
import { MakemoreError } from "../../src/errors";
import { inBlocks, type Work } from "../../src/slices";
import type { Dataset } from "./dataset";
import { BOUNDARY } from "./vocabulary";

export interface Fingerprint {
  /** Number of words, including repeats. */
  readonly count: number;
  /** 32-bit hash of the words with their order and splits. */
  readonly order: number;
  /** 32-bit hash of the words that does not depend on their order. */
  readonly set: number;
}

/** Computes the fingerprint of a dataset. */
export function* fingerprintWork({ train, validation, test, stats }: Dataset): Work<Fingerprint> {
  let order = 0;
  let set = 0;
  for (const stream of [train, validation, test]) {
    let hash = FNV_OFFSET;
    yield* inBlocks(stream.length, (first, last) => {
      // Every word ends with a boundary. Skip the one before the first word.
      for (let i = Math.max(1, first); i < last; i++) {
        const token = stream[i] ?? BOUNDARY;
        if (token !== BOUNDARY) {
          hash = Math.imul(hash ^ token, FNV_PRIME);
          continue;
        }
        const word = mix(hash);
        order = mix(order ^ word);
        set = (set + word) >>> 0;
        hash = FNV_OFFSET;
      }
    });
    // Marks the end of a split.
    order = mix(order ^ FNV_OFFSET);
  }
  return { count: stats.count, order, set };
}

/**
 * Throws for words that are not those of the training.
 *
 * @param call the method that was called, for messages
 * @throws MakemoreError `INVALID_WORDS`
 */
export function refuseOtherWords(call: string, expected: Fingerprint, given: Fingerprint): void {
  refuseOtherOrder(call, expected, given);
  if (given.order === expected.order) return;
  throw new MakemoreError(
    "INVALID_WORDS",
    `${call}: the training had ${expected.count} words, and these are ${given.count === expected.count ? "other ones" : given.count}; give the words of the training in their order, or train a new model on these.`,
  );
}

/** Throws only if the words are those of the training in another order; other words are accepted. */
export function refuseOtherOrder(call: string, expected: Fingerprint, given: Fingerprint): void {
  if (given.set !== expected.set || given.count !== expected.count || given.order === expected.order) return;
  throw new MakemoreError(
    "INVALID_WORDS",
    `${call}: these are the ${expected.count} words of the training in another order, which would mix the words it learns with those it is validated on; give them in the order of the training.`,
  );
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Mixes the bits of a hash: the finaliser of MurmurHash3. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
