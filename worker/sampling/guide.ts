/**
 * The search for words with a suffix, or with something in them, that the model would rarely come upon.
 *
 * Each walk tries, after each of its characters, to go on with what is asked for. So of a walk over "karin", the suffix
 * "ova" gives the words "ova", "kova", "karova", …. Each word has this suffix in one way only, so a walk comes by a
 * word's beginning as often as the model says, and the word is kept with the probability that the model gives the rest
 * of it there. Kept words are thus distributed as if the model's own words had been drawn, and those without the suffix
 * thrown away. As this probability is small, it is divided by the largest of the first walks, the pilots, whose words
 * are thrown away. So only a word whose rest is likelier than in all of the pilots comes too seldom.
 *
 * For what words contain it is the same, except that the walk goes on after it: the first place of it is the one way.
 */
import { randomBits, randomUnit, Stream } from "../data/random";
import { BOUNDARY, type Vocabulary } from "../data/vocabulary";
import type { Chooser } from "../model/chooser";
import { type Conditions, type Goal, indexOf, overlaps, type Refusal } from "./conditions";
import type { SampleSettings } from "./sample";

/** Walks that find out how likely the goal gets. */
const PILOTS = 256;

/** What `Guide.next` says if the walk begins again, from the prefix. */
export const AGAIN = -1;

/** A way to the goal. */
interface Trial {
  /** The word; if the goal is what words contain, up to its end. */
  readonly ids: readonly number[];
  /** Characters that the walk itself had. */
  readonly from: number;
  /** In [0, 1). */
  readonly unit: number;
}

/** A walk down the tree of prefixes. */
export class Walk {
  tokens: number[];
  /** The words it found, as ids. */
  readonly words: (readonly number[])[] = [];
  /** What refused a word of it. */
  refusal: Refusal | undefined;
  /** Trials to come, and the one under way with its probability so far. */
  readonly trials: Trial[] = [];
  trial: Trial | undefined;
  probability = 1;
  /** The goal is reached; the rest is up to the model. */
  isReached = false;
  /** Tokens yet to be read before the next choice. */
  unread: number[];

  /**
   * @param number its place in the order of words: the key of its chance
   * @param beginning tokens between the start node and the first choice
   */
  constructor(
    readonly number: number,
    readonly prefix: readonly number[],
    readonly beginning: readonly number[],
  ) {
    this.tokens = [...prefix];
    this.unread = [...beginning];
  }
}

/** The choices of one call's walks. */
export class Guide {
  readonly #vocabulary: Vocabulary;
  readonly #settings: SampleSettings;
  readonly #conditions: Conditions;
  readonly #goal: Goal | undefined;
  /** Walks with lower numbers are pilots, until the goal was reached. */
  #pilots = PILOTS;
  #pilotsEnded = 0;
  #arePilots: boolean;
  /** The highest probability of a pilot's trial. */
  #highest = 0;

  constructor(vocabulary: Vocabulary, settings: SampleSettings, conditions: Conditions) {
    this.#vocabulary = vocabulary;
    this.#settings = settings;
    this.#conditions = conditions;
    this.#goal = conditions.goal;
    this.#arePilots = this.#goal !== undefined;
  }

  /** Walks that must end before others begin; undefined if there are none. */
  get pilots(): number | undefined {
    return this.#arePilots ? this.#pilots : undefined;
  }

  /**
   * What a walk does at a node: the id of the character that it goes on with, `BOUNDARY` where it ends, or `AGAIN`.
   * NaN where the model's numbers are none.
   *
   * @param logits of what follows the walk's tokens, from `offset` on
   */
  next(walk: Walk, chooser: Chooser, logits: Float32Array, offset: number): number {
    const { maxLength, minLength } = this.#settings;
    const { tokens, trial } = walk;
    const { length } = tokens;
    if (trial && this.#goal) {
      const id = trial.ids[length] ?? BOUNDARY;
      // What words contain may be followed by anything.
      const isOver = length === trial.ids.length && this.#goal.condition === "contains";
      if (length >= trial.from && !isOver) {
        walk.probability *= this.#follows(id, chooser, logits, offset, length);
        if (!this.#isKept(walk.probability, trial)) return this.#again(walk);
      }
      if (id !== BOUNDARY) {
        if (!this.#add(walk, id)) return this.#again(walk);
        if (tokens.length < maxLength) return id;
      }
      return this.#reached(walk, chooser, logits, offset);
    }
    if (this.#goal && !walk.isReached) {
      this.#try(this.#goal, walk, chooser, logits, offset);
      if (length + 1 + this.#goal.ids.length > maxLength) return this.#again(walk);
    }
    if (length < maxLength) {
      const unit = randomUnit(randomBits(this.#settings.seed, Stream.sampling, walk.number, length));
      const id = chooser.choose(logits, offset, unit, length >= minLength);
      if (id < 0) return Number.NaN;
      if (id !== BOUNDARY) {
        if (!this.#add(walk, id)) return this.#again(walk);
        if (this.#goal?.condition === "contains" && !walk.isReached && endsWith(tokens, this.#goal.ids))
          return this.#again(walk);
        if (tokens.length < maxLength) return id;
      }
    }
    if (!this.#goal || walk.isReached) walk.words.push(tokens);
    return this.#again(walk);
  }

  /** To be called once for each walk that ended. */
  end(walk: Walk): void {
    if (walk.words.length === 0) walk.refusal ??= this.#goal?.condition;
    if (!this.#arePilots || ++this.#pilotsEnded < this.#pilots) return;
    if (this.#highest > 0) this.#arePilots = false;
    else this.#pilots += PILOTS;
  }

  /** The goal is reached, or with a word's last character at `maxLength`. */
  #reached(walk: Walk, chooser: Chooser, logits: Float32Array, offset: number): number {
    if (this.#arePilots) {
      this.#highest = Math.max(this.#highest, walk.probability);
      return this.#again(walk);
    }
    const isWhole = this.#goal?.condition === "suffix" || walk.tokens.length === this.#settings.maxLength;
    if (isWhole) {
      walk.words.push(walk.tokens);
      return this.#again(walk);
    }
    walk.trial = undefined;
    walk.isReached = true;
    return this.next(walk, chooser, logits, offset);
  }

  /** Adds the words that go on with the goal here, if they may be kept. */
  #try(goal: Goal, walk: Walk, chooser: Chooser, logits: Float32Array, offset: number): void {
    const { tokens, number } = walk;
    const { seed, minLength, maxLength } = this.#settings;
    const from = tokens.length;
    const { prefix } = this.#conditions;
    // The prefix may end as the goal begins.
    for (const shared of from === prefix.length ? overlaps(prefix, goal.ids) : [0]) {
      const ids = [...tokens, ...goal.ids.slice(shared)];
      if (ids.length > maxLength) continue;
      const isSuffix = goal.condition === "suffix";
      // A word counts where it first has what it is to contain.
      if (isSuffix ? ids.length < minLength : indexOf(ids, goal.ids) + goal.ids.length < ids.length) continue;
      const unit = randomUnit(randomBits(seed, Stream.conditions, number, ids.length));
      const trial: Trial = { ids, from, unit };
      // Most end here, before any step is taken for them.
      const first = this.#follows(ids[from] ?? BOUNDARY, chooser, logits, offset, from);
      if (!this.#isKept(first, trial)) continue;
      const refusal = isSuffix ? this.#conditions.refusal(this.#vocabulary.decode(ids), ids) : undefined;
      if (refusal) walk.refusal = refusal;
      else walk.trials.push(trial);
    }
  }

  #follows(id: number, chooser: Chooser, logits: Float32Array, offset: number, length: number): number {
    const { minLength, maxLength } = this.#settings;
    // A word that reaches `maxLength` ends there.
    if (length === maxLength) return id === BOUNDARY ? 1 : 0;
    return chooser.probability(logits, offset, id, length >= minLength);
  }

  #isKept(probability: number, { unit }: Trial): boolean {
    return probability > (this.#arePilots ? this.#highest : unit * this.#highest);
  }

  /** Adds a character. @returns false if the walk has an avoided part now */
  #add(walk: Walk, id: number): boolean {
    walk.tokens.push(id);
    if (!this.#conditions.isAvoided(walk.tokens)) return true;
    walk.refusal = "avoid";
    return false;
  }

  /** Begins the next trial, or ends the walk. */
  #again(walk: Walk): number {
    walk.trial = walk.trials.shift();
    if (!walk.trial) return BOUNDARY;
    walk.tokens = [...walk.prefix];
    walk.unread = [...walk.beginning];
    walk.probability = 1;
    walk.isReached = false;
    return AGAIN;
  }
}

function endsWith(ids: readonly number[], end: readonly number[]): boolean {
  return end.every((id, i) => ids[ids.length - end.length + i] === id);
}
