/** Mixtures of groups: mixed distributions for sampling, and scores by Bayes' rule. */
import { MakemoreError } from "../../src/errors";
import type { TokenStream } from "../data/dataset";
import type { Share } from "../data/groups";
import { BOUNDARY } from "../data/vocabulary";
import { Prefixes } from "./prefixes";
import { type Beginnings, diverged, type SamplingCall } from "./sample";

/** Most nodes of a blend before some must be evicted. */
const MOST_NODES = 1 << 16;

/**
 * The tree of prefixes for a mixture. Each node stands for the nodes of all groups with the same characters. Its logits
 * are `log(sum(weight * p))`.
 */
export class Blend implements Beginnings {
  readonly walks: number;
  readonly #prefixes: Prefixes;
  readonly #shares: readonly Share[];
  /** The underlying nodes, [nodes, groups]. The root is the root for all groups. */
  #nodes: number[];
  readonly #values: Float32Array;
  readonly #probabilities: Float64Array;

  /** @throws MakemoreError `INVALID_OPTION` for more groups than the tree has room for */
  constructor(call: SamplingCall, prefixes: Prefixes, shares: readonly Share[]) {
    this.#prefixes = prefixes;
    this.#shares = shares;
    this.#nodes = shares.map(() => Prefixes.root);
    this.#values = new Float32Array(prefixes.firstGroup);
    this.#probabilities = new Float64Array(prefixes.firstGroup);
    this.walks = Math.floor((prefixes.walks + 1) / shares.length) - 1;
    if (this.walks < 1)
      throw new MakemoreError(
        "INVALID_OPTION",
        `${call}: group mixes ${shares.length} groups; there is memory for ${Math.floor((prefixes.walks + 1) / 2)}.`,
      );
  }

  logits(node: number): { readonly values: Float32Array; readonly offset: number } {
    const nodes = this.#of(node);
    mix(
      this.#probabilities,
      this.#shares.map(({ weight }, i) => ({ weight, ...this.#prefixes.logits(nodes[i] ?? Prefixes.root) })),
    );
    for (const [id, p] of this.#probabilities.entries()) this.#values[id] = Math.log(p);
    return { values: this.#values, offset: 0 };
  }

  step(node: number, token: number): number {
    const nodes = this.#of(node);
    const isStart = token >= this.#prefixes.firstGroup;
    for (const [i, share] of this.#shares.entries())
      this.#nodes.push(this.#prefixes.step(nodes[i] ?? Prefixes.root, isStart ? share.token : token));
    return this.#nodes.length / this.#shares.length - 1;
  }

  isFull(steps: number): boolean {
    const groups = this.#shares.length;
    return this.#prefixes.isFull(steps * groups) || this.#nodes.length / groups + steps > MOST_NODES;
  }

  compute(): Promise<void> {
    return this.#prefixes.compute();
  }

  keep(nodes: Int32Array): void {
    const below = Int32Array.from([...nodes].flatMap((node) => this.#of(node)));
    if (this.#prefixes.isFull(below.length)) this.#prefixes.keep(below);
    this.#nodes = [...this.#shares.map(() => Prefixes.root), ...below];
    for (const i of nodes.keys()) nodes[i] = i + 1;
  }

  #of(node: number): number[] {
    const groups = this.#shares.length;
    return this.#nodes.slice(node * groups, (node + 1) * groups);
  }
}

/** A distribution as logits, and its weight in a mixture. */
interface Part {
  readonly weight: number;
  readonly values: Float32Array;
  readonly offset: number;
}

/** Writes `sum(weight * softmax(logits))` to `out`, for the ids below `out.length`. */
export function mix(out: Float64Array, parts: readonly Part[]): void {
  out.fill(0);
  for (const { weight, values, offset } of parts) {
    let highest = Number.NEGATIVE_INFINITY;
    for (let id = 0; id < out.length; id++) highest = Math.max(highest, values[offset + id] ?? 0);
    let total = 0;
    for (let id = 0; id < out.length; id++) total += Math.exp((values[offset + id] ?? 0) - highest);
    for (let id = 0; id < out.length; id++)
      out[id] = (out[id] ?? 0) + (weight * Math.exp((values[offset + id] ?? 0) - highest)) / total;
  }
}

/**
 * Computes the surprises of a word's places for several groups together.
 *
 * @param ofGroups the surprises for each group; the word's are at [from, to)
 * @param weights weights of the groups; they add up to 1
 * @param isAlternative true if the whole word is of one unknown group, so that earlier characters change the groups'
 *   probabilities; false if the same weights mix the groups at each place
 */
export function mixedSurprises(
  ofGroups: readonly Float32Array[],
  weights: readonly number[],
  from: number,
  to: number,
  isAlternative: boolean,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(to - from);
  const fixed = weights.map(Math.log);
  let beliefs = fixed;
  for (let i = from; i < to; i++) {
    const joint = beliefs.map((belief, group) => belief - (ofGroups[group]?.[i] ?? Number.NaN));
    const sum = logSum(joint);
    if (Number.isNaN(sum)) throw diverged();
    values[i - from] = -sum;
    if (isAlternative) beliefs = joint.map((value) => value - sum);
  }
  return values;
}

/** The probability of each group for a word, from its log-likelihood for each group, with equal priors. */
export function posterior(logLikelihoods: readonly number[]): number[] {
  const sum = logSum(logLikelihoods);
  if (Number.isNaN(sum)) throw diverged();
  return logLikelihoods.map((value) => Math.exp(value - sum));
}

/** Puts a group's token before each word. @param words words that are each followed by a boundary */
export function withGroup(words: TokenStream, group: number): TokenStream {
  const tokens: number[] = [BOUNDARY];
  let isStart = true;
  for (const token of words) {
    if (isStart) tokens.push(group);
    tokens.push(token);
    isStart = token === BOUNDARY;
  }
  return Uint16Array.from(tokens);
}

/** log(sum(exp(values))) */
function logSum(values: readonly number[]): number {
  const highest = Math.max(...values);
  return highest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - highest), 0));
}
