/**
 * Runs a checkpoint in ONNX Runtime, in evaluation mode: sampling, scoring, evaluation. Sampling walks down the tree of
 * prefixes, one character at a time. Scoring knows all contexts beforehand and uses the shared tree; for networks that
 * read words, it uses the tree of prefixes as well. Each graph is opened when it is first needed; the network decides
 * which graphs these are (worker/onnx/networkGraphs.ts).
 */
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import type { ScoredWords } from "../../src/protocol";
import type { Classification, GroupChoice, NextCharacter } from "../../src/types";
import { type TokenStream, type WordSlice, wordsOf } from "../data/dataset";
import { mixture, type Share } from "../data/groups";
import { BOUNDARY, type Vocabulary } from "../data/vocabulary";
import { elements, type Network } from "../model/network";
import { networkGraphs } from "../onnx/networkGraphs";
import type { Checkpoint } from "../training/checkpoint";
import { type ConditionLists, Conditions, encodePrefix } from "./conditions";
import { Blend, mixedSurprises, posterior, withGroup } from "./groups";
import { Guide } from "./guide";
import { nextCharacters, nextOfGroups } from "./nextCharacters";
import type { Prefixes, StepSession } from "./prefixes";
import { PrefixPool } from "./prefixPool";
import { prefixSurprises } from "./prefixSurprises";
import { GraphSession, type Runtime } from "./runtime";
import { Found, type SampleSettings, type SamplingCall, sampleWords, walkDown } from "./sample";
import { surprises, type TreeSession } from "./surprises";

/** Approximate multiply-adds of one run: tens of milliseconds, so that other work gets its turn. */
const MULTIPLY_ADDS = { sampling: 2.1e8, scoring: 1e9 };
/** Words per batch of a stream: a small first batch arrives soon, larger ones need fewer messages. */
const BATCH = { first: 10, most: 1000 };
/** Tokens per part when words are scored for each group in turn. */
const GROUPED_TOKENS = 8192;

export class Inference {
  readonly #load: () => Promise<Runtime>;
  readonly #checkpoint: Checkpoint;
  readonly #pool: PrefixPool;
  #stepper: Promise<StepSession> | undefined;
  #tree: Promise<TreeSession> | undefined;
  readonly #sessions: GraphSession[] = [];
  #calls = 0;
  #disposed = false;

  /**
   * Loads nothing yet.
   *
   * @param load returns ONNX Runtime's namespace, for the web or for Node; called whenever a graph is opened
   * @param memory see `PrefixPool`
   */
  constructor(load: () => Promise<Runtime>, checkpoint: Checkpoint, memory?: number) {
    this.#load = load;
    this.#checkpoint = checkpoint;
    this.#pool = new PrefixPool(() => this.#openStepper(), memory);
  }

  /**
   * Samples new words; see `SampleOptions`. Concurrent calls take turns, each with its own tree of prefixes.
   *
   * @param stopped polled between steps; once true, the call ends with the words so far
   */
  sample(
    count: number,
    settings: SampleSettings,
    lists: ConditionLists = {},
    stopped: () => boolean = () => false,
  ): Promise<string[]> {
    return this.#call(async () => {
      // Check the conditions before loading ONNX Runtime: impossible ones are errors.
      const { over, ...sampling } = { ...this.#sampling("sample", settings, lists), count, stopped };
      const words =
        (await this.#pool.use(stopped, (prefixes) => sampleWords(over(prefixes), sampling))) ?? [];
      return settings.orderBy === "likelihood" ? this.#byLikelihood(words, settings, stopped) : words;
    });
  }

  /**
   * Samples new words until stopped: the same ones that `sample` returns for the same seed.
   *
   * @param onBatch receives the words; sampling waits for it, and lends its tree of prefixes to others meanwhile
   * @param stopped polled between steps; once true, the call ends
   */
  stream(
    settings: SampleSettings,
    onBatch: (words: readonly string[]) => Promise<void>,
    lists: ConditionLists,
    stopped: () => boolean,
  ): Promise<void> {
    return this.#call(async () => {
      const { over, ...sampling } = { ...this.#sampling("words", settings, lists), stopped };
      const found = new Found("words", sampling.settings);
      for (let count = BATCH.first; !stopped(); count = Math.min(2 * count, BATCH.most)) {
        const words = await this.#pool.use(stopped, (prefixes) =>
          sampleWords(over(prefixes), { ...sampling, count }, found),
        );
        if (words) await onBatch(words);
      }
    });
  }

  #sampling(call: SamplingCall, settings: SampleSettings, lists: ConditionLists) {
    const { vocabulary, network } = this.#checkpoint;
    const limited = withinModel(call, settings, vocabulary, networkGraphs(network).longestWord);
    const conditions = new Conditions(vocabulary, limited, lists, call);
    const guide = new Guide(vocabulary, limited, conditions);
    return {
      ...this.#groups(call, settings),
      vocabulary,
      settings: limited,
      conditions,
      guide,
      most: runLength(network, MULTIPLY_ADDS.sampling),
    };
  }

  /** Sorts words by likelihood, the likeliest first. */
  async #byLikelihood(
    words: readonly string[],
    { group }: SampleSettings,
    stopped: () => boolean,
  ): Promise<string[]> {
    const { vocabulary } = this.#checkpoint;
    const ids = words.flatMap((word) => [...vocabulary.encode(word), BOUNDARY]);
    const scored: { word: string; surprise: number }[] = [];
    const add = (part: ScoredWords) => {
      let at = 0;
      for (const word of part.words) {
        const end = at + [...word].length + 1;
        const surprise = part.surprises.subarray(at, end).reduce((sum, value) => sum + value, 0);
        scored.push({ word, surprise });
        at = end;
      }
    };
    await this.score(Uint16Array.from([BOUNDARY, ...ids]), add, stopped, group);
    return scored.sort((a, b) => a.surprise - b.surprise).map(({ word }) => word);
  }

  /**
   * Returns every character that may follow a prefix, with its probability, the likeliest first.
   *
   * @param stopped polled between steps; once true, the call returns an empty list
   * @param group see `NextOptions`
   */
  next(prefix: string, stopped: () => boolean = () => false, group?: GroupChoice): Promise<NextCharacter[]> {
    const { vocabulary, network } = this.#checkpoint;
    return this.#call(async () => {
      const tokens = encodePrefix(vocabulary, { prefix, maxLength: Number.POSITIVE_INFINITY }, "next");
      refuseLonger("next", prefix, tokens, networkGraphs(network).longestWord);
      const groups = this.#shares("next", group);
      const characters = await this.#pool.use(stopped, async (prefixes) => {
        if (groups.shares.length > 0) return nextOfGroups(prefixes, vocabulary, groups, tokens, stopped);
        const node = await walkDown(prefixes, tokens, stopped);
        return node === undefined ? [] : nextCharacters(vocabulary, prefixes.logits(node));
      });
      return characters ?? [];
    });
  }

  /**
   * Computes the surprise of each character of words.
   *
   * @param stream the words, in the ids of the model's vocabulary
   * @param onPart receives the surprises in parts of whole words, a few thousand characters each
   * @param stopped polled between runs; once true, the call ends early
   * @param group see `ScoreOptions`
   */
  score(
    stream: TokenStream,
    onPart: (part: ScoredWords) => void | Promise<void>,
    stopped: () => boolean = () => false,
    group?: GroupChoice,
  ): Promise<void> {
    const { vocabulary } = this.#checkpoint;
    return this.#call(async () => {
      const { shares, isAlternative } = this.#shares("score", group);
      if (shares.length > 0) {
        const weights = shares.map(({ weight }) => weight);
        for await (const { words, values, ends } of this.#byGroup("score", stream, shares, stopped)) {
          const mixed = ends.map((end, i) =>
            mixedSurprises(values, weights, ends[i - 1] ?? 0, end, isAlternative),
          );
          await onPart({ words, surprises: joined(mixed, ends.at(-1) ?? 0) });
        }
        return;
      }
      const words = wordsOf(stream);
      let next = words.next();
      // Values that `onPart` did not get yet, possibly of an unfinished word.
      let values: Float32Array<ArrayBuffer>[] = [];
      let count = 0;
      for await (const more of this.#surprises("score", stream, stopped)) {
        values.push(more);
        count += more.length;
        const done: string[] = [];
        let used = 0;
        while (!next.done && used + next.value.end - next.value.start < count) {
          const { start, end } = next.value;
          done.push(vocabulary.decode(stream.subarray(start, end)));
          used += end - start + 1;
          next = words.next();
        }
        if (done.length === 0) continue;
        const all = joined(values, count);
        values = [all.slice(used)];
        count -= used;
        await onPart({ words: done, surprises: all.slice(0, used) });
        if (stopped()) return;
      }
    });
  }

  /**
   * Computes the probability of each group for words, with equal priors.
   *
   * @param stream the words, in the ids of the model's vocabulary
   * @param onPart receives the probabilities in parts
   * @param stopped polled between runs; once true, the call ends early
   * @throws MakemoreError `INVALID_MODEL` without groups
   */
  classify(
    stream: TokenStream,
    onPart: (part: Classification[]) => void | Promise<void>,
    stopped: () => boolean,
  ): Promise<void> {
    const { groups } = this.#checkpoint.vocabulary;
    return this.#call(async () => {
      const { shares } = this.#shares("classify", undefined);
      for await (const { words, values, ends } of this.#byGroup("classify", stream, shares, stopped)) {
        await onPart(
          words.map((word, i) => {
            const ofWord = values.map((all) => all.subarray(ends[i - 1] ?? 0, ends[i]));
            const own = posterior(ofWord.map((surprises) => -surprises.reduce((sum, s) => sum + s, 0)));
            return {
              word,
              group: groups[own.indexOf(Math.max(...own))] ?? "",
              probabilities: Object.fromEntries(groups.map((group, j) => [group, own[j] ?? 0])),
            };
          }),
        );
      }
    });
  }

  /** The groups of a call. If it names none, a word is of one of all groups, equally likely. Empty without groups. */
  #shares(
    call: string,
    group: GroupChoice | undefined,
  ): { readonly shares: readonly Share[]; readonly isAlternative: boolean } {
    const { vocabulary } = this.#checkpoint;
    const { groups } = vocabulary;
    const given = mixture(call, vocabulary, group);
    const all = groups.map((name) => ({ token: vocabulary.groupId(name), weight: 1 / groups.length }));
    return { shares: given ?? all, isAlternative: given === undefined };
  }

  /** How to sample words of the call's groups: the tokens that words begin with, and the tree to walk. */
  #groups(call: SamplingCall, { group }: SampleSettings) {
    const { shares, isAlternative } = this.#shares(call, group);
    const blends = !isAlternative && shares.length > 1;
    return {
      groups: shares.slice(0, blends ? 1 : undefined).map(({ token }) => token),
      over: (prefixes: Prefixes) => (blends ? new Blend(call, prefixes, shares) : prefixes),
    };
  }

  /**
   * Computes the surprises of words for each group, some words at a time.
   *
   * @returns the words; for each group, the surprises of all places; and the end of each word's surprises
   */
  async *#byGroup(
    call: string,
    stream: TokenStream,
    shares: readonly Share[],
    stopped: () => boolean,
  ): AsyncGenerator<{ words: string[]; values: Float32Array[]; ends: number[] }> {
    const { vocabulary } = this.#checkpoint;
    let batch: WordSlice[] = [];
    for (const word of wordsOf(stream)) {
      batch.push(word);
      const { start = 0 } = batch[0] ?? {};
      if (word.end - start < GROUPED_TOKENS && word.end + 1 < stream.length) continue;
      const values: Float32Array[] = [];
      const tokens = stream.subarray(start, word.end + 1);
      for (const { token } of shares) {
        const parts: Float32Array[] = [];
        for await (const part of this.#surprises(call, withGroup(tokens, token), stopped)) parts.push(part);
        if (stopped()) return;
        values.push(joined(parts, tokens.length));
      }
      yield {
        words: batch.map(({ start, end }) => vocabulary.decode(stream.subarray(start, end))),
        values,
        ends: batch.map(({ end }) => end + 1 - start),
      };
      batch = [];
    }
  }

  /**
   * Computes the mean cross entropy over all examples of a stream, in nats; NaN for an empty stream.
   *
   * @param stopped polled between runs; once true, the mean covers only a part of the stream
   */
  evaluate(stream: TokenStream, stopped: () => boolean = () => false): Promise<number> {
    return this.#call(async () => {
      let sum = 0;
      let count = 0;
      for await (const values of this.#surprises("evaluate", stream, stopped)) {
        for (const surprise of values) sum += surprise;
        count += values.length;
      }
      return sum / count;
    });
  }

  /** Releases ONNX Runtime's memory, once no call is running. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    if (this.#calls > 0) return;
    this.#stepper = undefined;
    this.#tree = undefined;
    this.#pool.clear();
    await Promise.all(this.#sessions.splice(0).map((session) => session.release()));
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.#calls++;
    try {
      return await work();
    } finally {
      this.#calls--;
      if (this.#disposed) await this.dispose();
    }
  }

  async #open(graph: Parameters<typeof GraphSession.open>[1]): Promise<GraphSession> {
    const session = await GraphSession.open(await this.#load(), graph);
    this.#sessions.push(session);
    return session;
  }

  /** The surprises of each position in turn; see `surprises`. */
  async *#surprises(
    call: string,
    stream: TokenStream,
    stopped: () => boolean,
  ): AsyncGenerator<Float32Array<ArrayBuffer>> {
    const { network, vocabulary } = this.#checkpoint;
    const { tree, longestWord = Number.POSITIVE_INFINITY } = networkGraphs(network);
    if (tree) {
      yield* surprises(await this.#openTree(tree), wordsOf(stream, network.firstGroup), stopped);
      return;
    }
    for (const { start, first = start, end } of wordsOf(stream, network.firstGroup)) {
      if (end - first <= longestWord) continue;
      throw new MakemoreError(
        "INVALID_WORDS",
        `${call}: ${formatValue(vocabulary.decode(stream.subarray(first, end)))} has ${end - first} characters; this model reads words of at most ${longestWord}.`,
      );
    }
    const { prefixes, giveBack } = await this.#pool.borrow();
    try {
      const most = runLength(network, MULTIPLY_ADDS.sampling);
      yield* prefixSurprises(prefixes, wordsOf(stream, network.firstGroup), most, stopped);
    } finally {
      giveBack();
    }
  }

  /** Opened once; a failure is not kept. */
  #openStepper(): Promise<StepSession> {
    this.#stepper ??= this.#makeStepper().catch((error) => {
      this.#stepper = undefined;
      throw error;
    });
    return this.#stepper;
  }

  async #makeStepper(): Promise<StepSession> {
    const { network, parameters } = this.#checkpoint;
    const { graph, ...rest } = networkGraphs(network).stepper(parameters);
    const { vocabularySize, firstGroup } = network;
    return { ...rest, session: await this.#open(graph), vocabularySize, firstGroup };
  }

  /** Opened once; a failure is not kept. */
  #openTree(tree: Tree): Promise<TreeSession> {
    this.#tree ??= this.#makeTree(tree).catch((error) => {
      this.#tree = undefined;
      throw error;
    });
    return this.#tree;
  }

  async #makeTree(tree: Tree): Promise<TreeSession> {
    const { network, parameters } = this.#checkpoint;
    const { graph, levels } = tree(parameters);
    return {
      session: await this.#open(graph),
      levels,
      vocabularySize: network.vocabularySize,
      firstGroup: network.firstGroup,
      most: runLength(network, MULTIPLY_ADDS.scoring),
    };
  }
}

type Tree = NonNullable<ReturnType<typeof networkGraphs>["tree"]>;

/** Limits `maxLength` to the longest word that the model can read. */
function withinModel(
  call: SamplingCall,
  settings: SampleSettings,
  vocabulary: Vocabulary,
  longestWord = Number.POSITIVE_INFINITY,
): SampleSettings {
  const { minLength, maxLength } = settings;
  const prefix = encodePrefix(vocabulary, settings, call);
  if (minLength > longestWord)
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: minLength is ${minLength}; this model reads words of at most ${longestWord} characters.`,
    );
  refuseLonger(call, settings.prefix, prefix, longestWord);
  return { ...settings, maxLength: Math.min(maxLength, longestWord) };
}

/** Refuses a prefix that the model cannot read. */
function refuseLonger(
  call: SamplingCall | "next",
  prefix: string,
  { length }: readonly number[],
  longestWord = Number.POSITIVE_INFINITY,
): void {
  if (length > longestWord)
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: prefix is ${formatValue(prefix)}; this model reads words of at most ${longestWord} characters.`,
    );
}

/** Rows per run, for about this many multiply-adds; at least 1. */
function runLength({ example, layers }: Network, multiplyAdds: number): number {
  // The Embedding is only a look-up.
  const [, ...rest] = layers;
  const perRow = rest.reduce(
    (sum, { parameters, outputShape }) =>
      sum +
      parameters.reduce((numbers, parameter) => numbers + elements(parameter), 0) *
        // A row of a network that reads words is one token.
        (example === "word" ? 1 : (outputShape[0] ?? 1)),
    1,
  );
  return Math.max(1, Math.floor(multiplyAdds / perRow));
}

function joined(parts: readonly Float32Array[], length: number): Float32Array<ArrayBuffer> {
  const all = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
