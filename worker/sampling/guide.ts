/**
 * Guides the search to words with a rare suffix, or with a rare part.
 *
 * After each of its characters, a walk tries to continue with the goal. For a walk along "karin", the suffix "ova" gives
 * the trials "ova", "kova", "kaova", "karova", …. Each trial is accepted with the probability that the model gives to the
 * rest of the word (rejection sampling). A walk reaches the beginning of a word as often as the model says, and a word
 * has its suffix in one way only. So accepted words have the model's own distribution among words with the suffix.
 *
 * These probabilities are small, so they are divided by the highest one that the first walks, the pilots, find. The
 * pilots' words are thrown away. The distribution is exact, except that words whose rest is more probable than all of the
 * pilots' come too rarely.
 *
 * `contains` works in the same way, but the walk continues after the goal. If a word has the goal several times, only a
 * trial at its first place counts.
 */
import { randomBits, randomUnit, Stream } from "../data/random";
import { BOUNDARY, type Vocabulary } from "../data/vocabulary";
import type { Chooser } from "../model/chooser";
import { type Conditions, endsWith, type Goal, indexOf, overlaps, type Refusal } from "./conditions";
import type { SampleSettings } from "./sample";

/** Number of walks that measure the highest probability of the goal. */
const PILOTS = 256;

/** Result of `Guide.next`: the walk must restart from the prefix. */
export const AGAIN = -1;

/** An attempt to reach the goal. */
interface Trial {
  /** The whole word; for `contains`, the word up to the end of the goal. */
  readonly ids: readonly number[];
  /** Number of characters from the walk itself. */
  readonly from: number;
  /** Random number in [0, 1) that decides whether to accept the word. */
  readonly unit: number;
}

/** A walk down the tree of prefixes. */
export class Walk {
  tokens: number[];
  /** The words that the walk found, as ids. */
  readonly words: (readonly number[])[] = [];
  /** Why a word of the walk was refused. */
  refusal: Refusal | undefined;
  /** Trials to do after the current one. */
  readonly trials: Trial[] = [];
  /** The current trial. */
  trial: Trial | undefined;
  /** Probability of the current trial so far. */
  probability = 1;
  /** Whether the goal is reached: the model then chooses the rest of the word. */
  isReached = false;
  /** Tokens to read before the next choice. */
  unread: number[];

  /**
   * @param number number of the walk: its random numbers depend on it
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

/** Makes the choices of all walks of a call. */
export class Guide {
  readonly #vocabulary: Vocabulary;
  readonly #settings: SampleSettings;
  readonly #conditions: Conditions;
  readonly #goal: Goal | undefined;
  /** Walks with numbers below this one are pilots. Raised until a pilot reaches the goal. */
  #pilots = PILOTS;
  #pilotsEnded = 0;
  #arePilots: boolean;
  /** Highest probability of a pilot's trial. */
  #highest = 0;

  constructor(vocabulary: Vocabulary, settings: SampleSettings, conditions: Conditions) {
    this.#vocabulary = vocabulary;
    this.#settings = settings;
    this.#conditions = conditions;
    this.#goal = conditions.goal;
    this.#arePilots = this.#goal !== undefined;
  }

  /** Number of pilots, which must end before other walks start; undefined if there are none, or they have ended. */
  get pilots(): number | undefined {
    return this.#arePilots ? this.#pilots : undefined;
  }

  /**
   * Decides the next step of a walk: the id of the next character, `BOUNDARY` to end, or `AGAIN` to restart. NaN if the
   * logits are NaN.
   *
   * @param logits logits for the token after the walk's tokens, from index `offset` on
   */
  next(walk: Walk, chooser: Chooser, logits: Float32Array, offset: number): number {
    const { maxLength, minLength } = this.#settings;
    const { tokens, trial } = walk;
    const { length } = tokens;
    if (trial && this.#goal) {
      const id = trial.ids[length] ?? BOUNDARY;
      // For `contains`, anything may follow the goal.
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

  /** Must be called once for each walk that ended. */
  end(walk: Walk): void {
    if (walk.words.length === 0) walk.refusal ??= this.#goal?.condition;
    if (!this.#arePilots || ++this.#pilotsEnded < this.#pilots) return;
    if (this.#highest > 0) this.#arePilots = false;
    else this.#pilots += PILOTS;
  }

  /** Ends a trial that reached the goal: accepts the word, or lets the model continue it. */
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

  /** Adds the trials that continue with the goal here, unless they are already sure to fail. */
  #try(goal: Goal, walk: Walk, chooser: Chooser, logits: Float32Array, offset: number): void {
    const { tokens, number } = walk;
    const { seed, minLength, maxLength } = this.#settings;
    const from = tokens.length;
    const { prefix } = this.#conditions;
    // The end of the prefix may already be the beginning of the goal.
    for (const shared of from === prefix.length ? overlaps(prefix, goal.ids) : [0]) {
      const ids = [...tokens, ...goal.ids.slice(shared)];
      if (ids.length > maxLength) continue;
      const isSuffix = goal.condition === "suffix";
      // For `contains`, only a trial at the goal's first place in the word counts.
      if (isSuffix ? ids.length < minLength : indexOf(ids, goal.ids) + goal.ids.length < ids.length) continue;
      const unit = randomUnit(randomBits(seed, Stream.conditions, number, ids.length));
      const trial: Trial = { ids, from, unit };
      // Most trials fail here, before they cost a step.
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

  /** Adds a character. @returns false if the walk now has an avoided part */
  #add(walk: Walk, id: number): boolean {
    walk.tokens.push(id);
    if (!this.#conditions.isAvoided(walk.tokens)) return true;
    walk.refusal = "avoid";
    return false;
  }

  /** Starts the next trial, or ends the walk. */
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
