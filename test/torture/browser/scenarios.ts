/**
 * What is done while a fault comes: every call of the package, on models so small that one takes milliseconds. Each
 * scenario begins with a model in a fresh worker, or with none, and gives a value that is the same each time.
 */
import type { Makemore as MakemoreClass, MakemoreOptions, TrainOptions, TrainResult } from "../../../src";

/** What a scenario has at hand. */
export interface Given {
  readonly Makemore: typeof MakemoreClass;
  readonly words: readonly string[];
  /** Files of a model of windows and of one that reads words, in the middle of their training. */
  readonly files: Readonly<Record<ModelName, Uint8Array>>;
  /** A signal whose listeners are counted. */
  readonly signal: AbortSignal;
}

export type ModelName = "window" | "word";

export interface Scenario {
  /** Default `"wasm"`. */
  readonly backend?: NonNullable<MakemoreOptions["backend"]>;
  /** Begins in a worker of its own, which has loaded nothing yet. Default: in one that has started ONNX Runtime. */
  readonly isCold?: boolean;
  /** Compiles for a software GPU: seconds. */
  readonly isSlow?: boolean;
  /** The model that the Makemore has before. */
  readonly model?: ModelName;
  /** Whether the call may put another model in place of it. */
  readonly replaces?: boolean;
  readonly act: (mm: MakemoreClass, given: Given) => Promise<unknown>;
  /** Undoes what the call left in the storage. */
  readonly clean?: (given: Given) => Promise<unknown>;
}

const sizes = { embedding: 2, hidden: 4 };
const small: TrainOptions = { steps: 6, batchSize: 4, model: sizes };
export const gru: TrainOptions = { ...small, model: { type: "gru", ...sizes } };
const transformer: TrainOptions = {
  ...small,
  model: { type: "transformer", layers: 1, heads: 2, embedding: 4 },
};
/** A layer that only tfjs trains. */
const tanhFirst: TrainOptions = {
  ...small,
  model: [
    { type: "Embedding", dimensions: 2 },
    { type: "Tanh" },
    { type: "FlattenConsecutive", n: 4 },
    { type: "Linear" },
  ],
};

/** As few kernels as there can be: a software GPU compiles each for a second. */
export const folded: TrainOptions = {
  ...small,
  model: [
    { type: "Embedding", dimensions: 2 },
    { type: "FlattenConsecutive", n: 2 },
    { type: "Linear", fanOut: 4 },
    { type: "Tanh" },
    { type: "Linear" },
  ],
};

/** What a training came to, less what differs from run to run. */
function summary({ step, backend, losses, notices, model, kept }: TrainResult) {
  return { step, backend, losses: [...losses], notices, parameters: model.parameters, kept: kept?.step };
}

/** FNV-1a of bytes. */
export function hash(bytes: Uint8Array): number {
  return bytes.reduce((h, byte) => Math.imul(h ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
}

const train = (options: TrainOptions): Scenario["act"] => {
  return async (mm, { words, signal }) => summary(await mm.train(words, { ...options, signal }));
};

const sampling = { seed: 7, minLength: 2 } as const;

const readers: Record<string, Scenario["act"]> = {
  sample: (mm, { signal }) => mm.sample(20, { ...sampling, signal }),
  novel: (mm, { signal, words }) => mm.sample(5, { ...sampling, novel: words, unique: true, signal }),
  words: async (mm, { signal }) => {
    const found: string[] = [];
    for await (const word of mm.words({ ...sampling, signal })) if (found.push(word) === 25) break;
    return found;
  },
  next: (mm, { signal }) => mm.next("a", { signal }),
  score: (mm, { signal }) => mm.score(["anna", "leon"], { signal }),
  evaluate: (mm, { signal }) => mm.evaluate(undefined, { signal }),
  export: async (mm, { signal }) => hash(await mm.exportONNX({ signal })),
  save: async (mm, { signal, Makemore }) => {
    await mm.save("torture", { signal });
    return (await Makemore.saved()).map(({ name, step }) => [name, step]);
  },
};

const remove = ({ Makemore }: Given) => Makemore.remove("torture");

function readersOf(model: ModelName): [string, Scenario][] {
  return Object.entries(readers).map(([name, act]) => [
    `${name}-${model}`,
    { model, act, ...(name === "save" ? { clean: remove } : {}) },
  ]);
}

/** Calls in a worker that has started ONNX Runtime, so that one takes milliseconds. */
const warm: Record<string, Scenario> = {
  train: { model: "window", replaces: true, act: train(small) },
  "train-gru": { model: "word", replaces: true, act: train(gru) },
  "train-transformer": { model: "window", replaces: true, act: train(transformer) },
  "train-reports": {
    model: "window",
    replaces: true,
    act: train({ ...small, evalEvery: 3, sampleEvery: 3, saveAs: "torture" }),
    clean: remove,
  },
  resume: {
    model: "window",
    replaces: true,
    act: async (mm, { words, files, signal }) => {
      // From the same place each time.
      await mm.load(files.window, { words });
      return summary(await mm.resume({ steps: 12, signal }));
    },
  },
  ...Object.fromEntries([...readersOf("window"), ...readersOf("word")]),
  load: {
    model: "word",
    replaces: true,
    act: async (mm, { words, files, signal }) => {
      await mm.load(files.window, { words, signal });
      return mm.model?.parameters;
    },
  },
  open: {
    model: "window",
    act: async (mm, { Makemore, words }) => {
      await mm.save("torture");
      const opened = await Makemore.open("torture", { backend: "wasm" });
      try {
        return [await opened.evaluate(), opened.model?.step, words.length];
      } finally {
        opened.dispose();
      }
    },
    clean: remove,
  },
  remove: {
    model: "window",
    act: async (mm, { Makemore }) => {
      await mm.save("torture");
      const removed = await Makemore.remove("torture");
      return [removed, await Makemore.saved()];
    },
    clean: remove,
  },
  stop: {
    model: "window",
    replaces: true,
    act: async (mm, { words, signal }) => {
      const training = mm.train(words, { ...small, steps: 1_000_000, signal });
      mm.stop();
      const { stopped, step } = await training;
      // A stop that was lost comes again, some steps later.
      return [stopped, step < 1_000_000];
    },
  },
};

/** Calls in a worker that has not loaded anything. */
const cold: Record<string, Scenario> = {
  "cold-train": { act: train(small) },
  "cold-train-gru": { model: "word", replaces: true, act: train(gru) },
  "cold-train-auto": { backend: "auto", model: "window", replaces: true, act: train(small) },
  "cold-train-tfjs": { backend: "tfjs", model: "window", replaces: true, act: train(tanhFirst) },
  "cold-train-webgpu": {
    backend: "webgpu",
    model: "window",
    replaces: true,
    isSlow: true,
    act: train(folded),
  },
  "cold-train-prefetch": { model: "window", replaces: true, act: train({ ...small, prefetch: true }) },
  "cold-next": { model: "window", act: (mm, { signal }) => mm.next("a", { signal }) },
  "cold-load": {
    act: async (mm, { files, signal }) => {
      await mm.load(files.word, { signal });
      return hash(await mm.exportONNX());
    },
  },
  "cold-dispose": {
    act: async (_, { Makemore, words, signal }) => {
      const other = new Makemore({ backend: "wasm" });
      const training = other
        .train(words, { ...small, steps: 1_000_000, signal, onProgress: () => other.dispose() })
        .then(
          () => "it went on",
          (error) => {
            if (error.code !== "DISPOSED") throw error;
          },
        );
      try {
        return (await training) ?? "disposed";
      } finally {
        other.dispose();
      }
    },
  },
};

export const scenarios: Readonly<Record<string, Scenario>> = {
  ...warm,
  ...Object.fromEntries(
    Object.entries(cold).map(([name, scenario]) => [name, { ...scenario, isCold: true }]),
  ),
};
