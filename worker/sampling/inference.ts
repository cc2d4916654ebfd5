/**
 * A checkpoint at work: everything that is computed in evaluation mode goes through here, in ONNX
 * Runtime. Think of it as two instruments over one set of numbers: words are sampled a character
 * at a time, down the tree of prefixes; they are scored with all their contexts known, by the
 * shared tree. Each opens its graph when it is first used. A model that is no chain of blocks
 * (`asBlocks`) has its window form stand in for both.
 */
import type { WordScore } from "../../src/types";
import type { TokenStream, WordSet } from "../data/dataset";
import { asBlocks } from "../model/blocks";
import type { Checkpoint } from "../model/checkpoint";
import { incrementalGraph, type Stepper } from "../onnx/incremental";
import { sharedTreeGraph, singleLevelGraph } from "../onnx/sharedTree";
import { windowGraph } from "../onnx/window";
import type { SampleSettings } from "../options";
import { Prefixes } from "./prefixes";
import { GraphSession, type Runtime } from "./runtime";
import { sampleWords } from "./sample";
import { surprises, type TreeSession, wordsOf } from "./surprises";

/** Milliseconds in which a call that waits for others hears that it is stopped. */
const STOP_MS = 20;

export class Inference {
  readonly #ort: Runtime;
  readonly #checkpoint: Checkpoint;
  readonly #memory: number | undefined;
  #prefixes: Promise<Prefixes> | undefined;
  #tree: Promise<TreeSession> | undefined;
  readonly #sessions: GraphSession[] = [];
  /** Calls run one after the other: they share the memory of the prefixes. */
  #last: Promise<unknown> = Promise.resolve();
  #calls = 0;
  #disposed = false;

  /**
   * Opens nothing yet.
   *
   * @param ort ONNX Runtime's namespace, for the web or for Node
   * @param memory bytes for the beginnings of words that sampling has met; see `Prefixes`
   */
  constructor(ort: Runtime, checkpoint: Checkpoint, memory?: number) {
    this.#ort = ort;
    this.#checkpoint = checkpoint;
    this.#memory = memory;
  }

  /**
   * New words; see `SampleOptions`.
   *
   * @param known the sets of words that `novel` leaves out
   * @param stopped asked between steps, and while others are under way; once true, the call ends with
   *   what it has
   */
  sample(
    count: number,
    settings: SampleSettings,
    known: readonly WordSet[] = [],
    stopped: () => boolean = () => false,
  ): Promise<string[]> {
    const { vocabulary } = this.#checkpoint;
    const work = async () =>
      sampleWords(await this.#openPrefixes(), vocabulary, count, settings, known, stopped);
    return this.#call(work, { stopped, instead: [] });
  }

  /** What the model makes of words, each trimmed and not empty. */
  score(words: readonly string[]): Promise<WordScore[]> {
    const { vocabulary } = this.#checkpoint;
    return this.#call(async () => {
      const encoded = words.map((word) => vocabulary.encode(word));
      const values: number[] = [];
      await surprises(
        await this.#openTree(),
        encoded.map((tokens) => ({ tokens, start: 0, end: tokens.length })),
        (surprise) => values.push(surprise),
      );
      let at = 0;
      return words.map((word, i) => {
        const characters = [...(encoded[i] ?? []).map((id) => vocabulary.decode([id])), ""];
        const scored = characters.map((character) => ({ character, surprise: values[at++] ?? Number.NaN }));
        const logLikelihood = -scored.reduce((sum, { surprise }) => sum + surprise, 0);
        return { word, logLikelihood, perCharacter: logLikelihood / scored.length, surprises: scored };
      });
    });
  }

  /**
   * Mean cross entropy over all examples of a stream, nats; NaN where there are none.
   *
   * @param stopped asked between words; once true, the mean is of what was done until then
   */
  evaluate(stream: TokenStream, stopped: () => boolean = () => false): Promise<number> {
    return this.#call(async () => {
      let sum = 0;
      let count = 0;
      await surprises(await this.#openTree(), until(stopped, wordsOf(stream)), (surprise) => {
        sum += surprise;
        count++;
      });
      return sum / count;
    });
  }

  /** Gives back ONNX Runtime's memory, once no call is under way. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    if (this.#calls > 0) return;
    this.#prefixes = undefined;
    this.#tree = undefined;
    await Promise.all(this.#sessions.splice(0).map((session) => session.release()));
  }

  /** Does its work when the calls before have ended; one that is stopped before gives `instead`. */
  async #call<T>(
    work: () => Promise<T>,
    stop?: { readonly stopped: () => boolean; readonly instead: T },
  ): Promise<T> {
    this.#calls++;
    const before = this.#last;
    const mine = stop
      ? endsFirst(before, stop.stopped).then((ended) => (ended ? work() : stop.instead))
      : before.then(work);
    // Those after it wait for those before it, too.
    this.#last = Promise.allSettled([before, mine]).then(() => {});
    try {
      return await mine;
    } finally {
      this.#calls--;
      if (this.#disposed) await this.dispose();
    }
  }

  async #open(graph: Parameters<typeof GraphSession.open>[1]): Promise<GraphSession> {
    const session = await GraphSession.open(this.#ort, graph);
    this.#sessions.push(session);
    return session;
  }

  /** Opened once; a failure is not kept. */
  #openPrefixes(): Promise<Prefixes> {
    this.#prefixes ??= this.#makePrefixes().catch((error) => {
      this.#prefixes = undefined;
      throw error;
    });
    return this.#prefixes;
  }

  async #makePrefixes(): Promise<Prefixes> {
    const { network, parameters } = this.#checkpoint;
    const chain = asBlocks(network);
    const stepper: Stepper = chain
      ? incrementalGraph(network, chain, parameters)
      : {
          graph: windowGraph(network, parameters),
          tokens: "context",
          width: network.contextLength,
          states: [],
        };
    const { graph, ...rest } = stepper;
    const session = await this.#open(graph);
    return Prefixes.create({ ...rest, session, vocabularySize: network.vocabularySize }, this.#memory);
  }

  /** Opened once; a failure is not kept. */
  #openTree(): Promise<TreeSession> {
    this.#tree ??= this.#makeTree().catch((error) => {
      this.#tree = undefined;
      throw error;
    });
    return this.#tree;
  }

  async #makeTree(): Promise<TreeSession> {
    const { network, parameters } = this.#checkpoint;
    const chain = asBlocks(network);
    const { graph, levels } = chain
      ? sharedTreeGraph(network, chain, parameters)
      : singleLevelGraph(network, parameters);
    return { session: await this.#open(graph), levels, vocabularySize: network.vocabularySize };
  }
}

/** Whether calls ended; false where `stopped` came first. */
async function endsFirst(calls: Promise<unknown>, stopped: () => boolean): Promise<boolean> {
  let ended = false;
  const end = calls.then(() => {
    ended = true;
  });
  while (!ended && !stopped())
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, STOP_MS))]);
  return ended;
}

function* until<T>(stopped: () => boolean, items: Iterable<T>): Generator<T> {
  for (const item of items) {
    if (stopped()) return;
    yield item;
  }
}
