/**
 * New words. All of a call walk down the tree of prefixes together, one character a step; a walk
 * that ends leaves, and the next word takes its place, until enough are found. Which characters a
 * word gets depends on the seed and the word's number alone, never on its company, so the words
 * are those that one walk at a time would give.
 */
import { MakemoreError } from "../../src/errors";
import type { WordSet } from "../data/dataset";
import { randomBits, randomUnit, Stream } from "../data/random";
import { BOUNDARY, type Vocabulary } from "../data/vocabulary";
import type { SampleSettings } from "../options";
import { nextTask } from "../training/nextTask";
import { Chooser } from "./choose";
import { Prefixes } from "./prefixes";

/** Words in a row that may be refused (known, or found before) before the call gives up. */
const MAX_REFUSED = 10_000;
/** Milliseconds between turns of the event loop. */
const TURN_MS = 20;

/** A word under way. */
interface Walk {
  /** Its place in the order of words: the key of its chance. */
  readonly number: number;
  readonly tokens: number[];
}

/**
 * Samples `count` words; fewer only where `stopped` becomes true.
 *
 * @param known the sets of words that `novel` leaves out
 * @throws MakemoreError `INVALID_OPTION` for an impossible prefix, `SAMPLING_FAILED` where the
 *   constraints leave too few words
 */
export async function sampleWords(
  prefixes: Prefixes,
  vocabulary: Vocabulary,
  count: number,
  settings: SampleSettings,
  known: readonly WordSet[],
  stopped: () => boolean,
): Promise<string[]> {
  const { seed, minLength, maxLength, novel, unique } = settings;
  const prefix = encodePrefix(vocabulary, settings);
  const chooser = new Chooser(vocabulary.size, settings);
  const words: string[] = [];
  const seen = new Set<string>();
  /** Words that have ended, by number, until those before them have. */
  const ended = new Map<number, string>();
  let started = 0;
  let decided = 0;
  let refused = 0;

  const end = (walk: Walk) => {
    const word = vocabulary.decode(walk.tokens);
    ended.set(walk.number, novel && known.some((set) => set.has(walk.tokens)) ? REFUSED : word);
  };
  // In the order of numbers, so that of two equal words the same one is refused in any company.
  const decide = () => {
    for (
      let word = ended.get(decided);
      word !== undefined && words.length < count;
      word = ended.get(++decided)
    ) {
      ended.delete(decided);
      if (word === REFUSED || (unique && seen.has(word))) {
        if (++refused >= MAX_REFUSED) throw tooFew(count, words.length, settings);
        continue;
      }
      refused = 0;
      if (unique) seen.add(word);
      words.push(word);
    }
  };

  const nodes = new Int32Array(prefixes.walks);
  const walks: Walk[] = [];
  let start = await walkDown(prefixes, prefix);
  let turn = performance.now();
  for (;;) {
    // As many as it should take at the rate so far; without constraints, exactly `count`.
    const wanted = decided + Math.ceil(((count - words.length) * (decided + 1)) / (words.length + 1));
    while (walks.length < nodes.length - 1 && started < wanted) {
      nodes[walks.length] = start;
      walks.push({ number: started++, tokens: [...prefix] });
    }

    let going = 0;
    for (const [i, walk] of walks.entries()) {
      const { tokens } = walk;
      const { length } = tokens;
      const node = nodes[i] ?? 0;
      const { values, offset } = prefixes.logits(node);
      const unit = randomUnit(randomBits(seed, Stream.sampling, walk.number, length));
      const token =
        length >= maxLength ? BOUNDARY : chooser.choose(values, offset, unit, length >= minLength);
      if (token < 0)
        throw new MakemoreError(
          "SAMPLING_FAILED",
          "The model's predictions are not numbers: its training diverged. Train again with a lower learningRate.",
        );
      if (token === BOUNDARY) {
        end(walk);
        continue;
      }
      tokens.push(token);
      if (tokens.length === maxLength) {
        end(walk);
        continue;
      }
      nodes[going] = prefixes.step(node, token);
      walks[going++] = walk;
    }
    walks.length = going;
    decide();
    if (words.length === count || stopped()) return words;
    await prefixes.compute();
    if (prefixes.isFull(nodes.length)) {
      nodes[going] = start;
      const kept = nodes.subarray(0, going + 1);
      prefixes.keep(kept);
      start = kept[going] ?? 0;
    }
    if (performance.now() - turn > TURN_MS) {
      await nextTask();
      turn = performance.now();
    }
  }
}

/** Stands for a word that `novel` left out; no word has a line break. */
const REFUSED = "\n";

function encodePrefix(vocabulary: Vocabulary, { prefix, maxLength }: SampleSettings): number[] {
  const tokens = Array.from(prefix.normalize("NFC"), (character) => {
    const id = vocabulary.id(character);
    if (id === undefined)
      throw new MakemoreError(
        "INVALID_OPTION",
        `sample: prefix is "${prefix}", and the model never saw "${character}"; it knows ${vocabulary.describe()}.`,
      );
    return id;
  });
  if (tokens.length > maxLength)
    throw new MakemoreError(
      "INVALID_OPTION",
      `sample: prefix is "${prefix}", which is longer than maxLength, ${maxLength}.`,
    );
  return tokens;
}

async function walkDown(prefixes: Prefixes, tokens: readonly number[]): Promise<number> {
  let node = Prefixes.root;
  for (const token of tokens) {
    if (prefixes.isFull(1)) {
      const kept = Int32Array.of(node);
      prefixes.keep(kept);
      node = kept[0] ?? 0;
    }
    node = prefixes.step(node, token);
    await prefixes.compute();
  }
  return node;
}

function tooFew(
  count: number,
  found: number,
  { novel, unique, prefix, temperature }: SampleSettings,
): MakemoreError {
  const asked = [novel ? "novel" : "", unique ? "unique" : ""].filter((name) => name !== "").join(" and ");
  return new MakemoreError(
    "SAMPLING_FAILED",
    `sample: only ${found} of ${count} words were found; then ${MAX_REFUSED} in a row were not ${asked}. Ask for fewer, raise temperature (${temperature}), ${prefix === "" ? "" : `shorten prefix ("${prefix}"), `}or leave out ${asked}.`,
  );
}
