/**
 * Ends at any moment: a training or a sampling is aborted, its worker killed, its GPU taken away. What follows must end
 * as if nothing had happened, bit for bit on wasm.
 */
import type { Makemore as MakemoreClass, TrainOptions } from "../../../src";
import { folded, gru, hash } from "./scenarios";
import { clock, delay, kill, look, loseGPU, within, workers } from "./threads";

/** What a kill came to. */
export interface Kill {
  /** Whether it came before the end. */
  readonly reached: boolean;
  /** Steps that were done by then. */
  readonly step?: number | undefined;
  /** What does not hold; none if all is well. */
  readonly faults: string[];
}

export interface Grounds {
  readonly Makemore: typeof MakemoreClass;
  readonly words: readonly string[];
}

/** The last weights, not the best: those of a training that was stopped may be from before. */
const options: TrainOptions = {
  // Several times as long as its set-up, which also takes some of the moments.
  steps: 10_000,
  batchSize: 4,
  keepBest: false,
  model: { embedding: 2, hidden: 4 },
};
/** What the fused kernels train, and what tfjs trains on a GPU. */
const fused: TrainOptions = { ...folded, steps: 200, keepBest: false };
const withTfjs: TrainOptions = { ...gru, steps: 20, keepBest: false };
/** How long it may take until a worker that is killed at its start is replaced, ms. */
const NOTICED_MS = 10_000;
const name = "killed";
const SAMPLES = 3000;

/** Names of the locks that workers hold. */
async function heldLocks(): Promise<Set<string>> {
  const { held = [] } = await navigator.locks.query();
  return new Set(held.map(({ name = "" }) => name));
}

/** Waits for a worker to begin: it takes a lock of its own. Others may still let go of theirs. */
async function newLock(before: ReadonlySet<string>): Promise<void> {
  const until = performance.now() + 10_000;
  while ([...(await heldLocks())].every((each) => before.has(each))) {
    if (performance.now() > until) throw new Error("The worker has taken no lock in 10 s.");
    await delay(1);
  }
}

export function makeKills({ Makemore, words }: Grounds) {
  let shared: MakemoreClass | undefined;
  let unbroken: { file: number; ms: number; samples: string; samplingMs: number } | undefined;

  /** How long a training on webgpu takes that nobody disturbs, ms. */
  const gpuMs = new Map<TrainOptions, number>();
  /** How long a worker takes from its start to its lock, and from there to the end of a training that saves, ms. */
  let saving: { startMs: number; ms: number } | undefined;

  /** Trains and saves in a worker of its own that nobody kills. */
  async function timeSaving(): Promise<{ startMs: number; ms: number }> {
    if (saving) return saving;
    clock.rate = 20;
    const locks = await heldLocks();
    const mm = new Makemore({ backend: "wasm" });
    try {
      const started = performance.now();
      const training = mm.train(words, { ...options, saveAs: name });
      await newLock(locks);
      const begun = performance.now();
      await training;
      saving = { startMs: begun - started, ms: performance.now() - begun };
      return saving;
    } finally {
      mm.dispose();
      clock.rate = 1;
    }
  }

  const fileOf = async (mm: MakemoreClass) => hash(await mm.exportONNX());
  const sampleOf = async (mm: MakemoreClass) => (await mm.sample(5, { seed: 3 })).join();

  /** A training that nobody disturbs, and how long it takes. */
  async function reference(): Promise<{ mm: MakemoreClass; of: NonNullable<typeof unbroken> }> {
    shared ??= new Makemore({ backend: "wasm" });
    if (unbroken) return { mm: shared, of: unbroken };
    // The first one takes longer, because the worker starts.
    await shared.train(words, options);
    const started = performance.now();
    await shared.train(words, options);
    const ms = performance.now() - started;
    const samples = await sampleOf(shared);
    // The first call makes the tree of prefixes that the next ones walk.
    await shared.sample(SAMPLES, { seed: 5 });
    const begun = performance.now();
    await shared.sample(SAMPLES, { seed: 5 });
    unbroken = { file: await fileOf(shared), ms, samples, samplingMs: performance.now() - begun };
    return { mm: shared, of: unbroken };
  }

  /** Aborts a call after some time; returns undefined, or how long the call took if it was over by then, ms. */
  async function abortAfter(
    ms: number,
    call: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<number | undefined> {
    const controller = new AbortController();
    const begun = performance.now();
    const calling = call(controller.signal).then(
      () => performance.now() - begun,
      (error) => {
        if (error !== controller.signal.reason) throw error;
        return undefined;
      },
    );
    await delay(ms);
    controller.abort(new Error("aborted by the test"));
    return calling;
  }

  return {
    /** @param moment a fraction of the training's time */
    async abortTraining(moment: number): Promise<Kill> {
      const { mm, of } = await reference();
      const late = await abortAfter(moment * of.ms, (signal) => mm.train(words, { ...options, signal }));
      // The machine is less busy than before.
      if (late !== undefined) of.ms = late;
      const reached = late === undefined;
      // On a busy machine the call rejects before the training has ended. This waits for its end.
      await mm.exportONNX().catch(() => {});
      const step = mm.model?.step;
      const faults: string[] = [];
      // One that was aborted before it was set up left the model before, which is at its end.
      if (reached && step !== options.steps) {
        if (mm.model === undefined) faults.push("there is no model after the abort");
        await mm.resume();
      }
      if ((await fileOf(mm)) !== of.file) faults.push(`another model after an abort at step ${step}`);
      return { reached, step, faults };
    },

    /** @param moment a fraction of the sampling's time */
    async abortSampling(moment: number): Promise<Kill> {
      const { mm, of } = await reference();
      const late = await abortAfter(moment * of.samplingMs, (signal) =>
        mm.sample(SAMPLES, { seed: 5, signal }),
      );
      if (late !== undefined) of.samplingMs = late;
      const reached = late === undefined;
      const faults: string[] = [];
      if ((await sampleOf(mm)) !== of.samples) faults.push("other samples after an abort");
      if ((await fileOf(mm)) !== of.file) faults.push("another model after an abort");
      return { reached, faults };
    },

    /** @param moment a fraction of the time of a training that saves */
    async killWorker(moment: number): Promise<Kill> {
      const { of } = await reference();
      const time = await timeSaving();
      await Makemore.remove(name);
      const faults: string[] = [];
      clock.rate = 20;
      const before = new Set(workers.keys());
      const locks = await heldLocks();
      const mm = new Makemore({ backend: "wasm" });
      let reached = true;
      try {
        let begun = 0;
        const training = mm.train(words, { ...options, saveAs: name }).then(
          () => {
            reached = false;
            time.ms = performance.now() - begun;
          },
          (error) => error,
        );
        // From its start on; killStart is for the time before.
        await newLock(locks);
        begun = performance.now();
        await delay(moment * time.ms);
        for (const worker of workers.keys()) if (!before.has(worker)) kill(worker);
        const end = await Promise.race([training, delay(10_000).then(() => "it hangs")]);
        if (reached) {
          if (end?.code !== "WORKER_FAILED") faults.push(`the killed training: ${end}`);
          if (mm.model) faults.push("the page still has the model of the killed worker");
          const next = await mm.exportONNX().catch(({ code }) => code);
          if (next !== "NO_MODEL") faults.push(`the next call gives ${next}`);
        }
      } finally {
        mm.dispose();
        clock.rate = 1;
      }
      // From the last save, or from the beginning if there was none.
      const opened = await Makemore.open(name, { backend: "wasm" }).catch((error) => {
        if (error.code !== "NOT_SAVED") faults.push(`open fails: ${error}`);
        return undefined;
      });
      const step = opened?.model?.step;
      if (opened) {
        if (step !== options.steps) await opened.resume();
        if ((await fileOf(opened)) !== of.file) faults.push(`another model after going on from step ${step}`);
        opened.dispose();
      }
      return { reached, step, faults };
    },

    /**
     * The worker is gone before it takes its lock, which would tell of it: another one takes its place.
     *
     * @param moment a fraction of the time that a worker takes to start
     */
    async killStart(moment: number): Promise<Kill> {
      const { of } = await reference();
      const time = await timeSaving();
      const before = new Set(workers.keys());
      const locks = await heldLocks();
      const mm = new Makemore({ backend: "wasm" });
      const faults: string[] = [];
      try {
        const started = performance.now();
        const training = mm.train(words, options);
        training.catch(() => {});
        await delay(moment * time.startMs);
        const reached = [...(await heldLocks())].every((each) => locks.has(each));
        if (!reached) time.startMs = Math.min(time.startMs, performance.now() - started);
        for (const worker of workers.keys()) if (!before.has(worker)) kill(worker);
        const end = await within(NOTICED_MS + 2 * of.ms, training, "the training").catch((error) => error);
        const file = mm.model && (await fileOf(mm));
        if (reached && file !== of.file) faults.push(`it ends with ${end}`);
        if (!reached && file !== of.file && end?.code !== "WORKER_FAILED") faults.push(`it ends with ${end}`);
        return { reached, faults };
      } finally {
        mm.dispose();
      }
    },

    /** @param moment a fraction of the time of a training on webgpu, its start included */
    loseGPU: (moment: number) => withoutGPU(fused, moment),

    /** The same with tfjs on the GPU. */
    loseTfjsGPU: (moment: number) => withoutGPU(withTfjs, moment),
  };

  /** Takes the GPU away from a training at a fraction of its time. */
  async function withoutGPU(given: TrainOptions, moment: number): Promise<Kill> {
    const faults: string[] = [];
    let ms = gpuMs.get(given);
    if (ms === undefined) {
      const undisturbed = new Makemore({ backend: "webgpu" });
      const started = performance.now();
      const { backend } = await undisturbed.train(words, given);
      ms = performance.now() - started;
      gpuMs.set(given, ms);
      undisturbed.dispose();
      if (backend !== "webgpu") faults.push(`without a fault, ${backend} trains it`);
    }
    const mm = new Makemore({ backend: "webgpu" });
    let isOver = false;
    try {
      const training = mm.train(words, given).finally(() => {
        isOver = true;
      });
      training.catch(() => {});
      await delay(moment * ms);
      const reached = !isOver;
      // It took less than that.
      if (!reached) gpuMs.set(given, moment * ms);
      if (reached) await loseGPU();
      let result = await within(60_000, training, "the training after the loss").catch((error) => {
        if (error.name !== "MakemoreError") faults.push(`it rejects with ${error}`);
        return undefined;
      });
      // From the last checkpoint; from the beginning if it was lost before there was one.
      result ??= await within(60_000, mm.model ? mm.resume() : mm.train(words, given), "going on");
      const { step, losses } = result;
      if (step !== given.steps || !losses.every(Number.isFinite)) faults.push(`it ends at step ${step}`);
      const { length } = await within(10_000, mm.sample(2), "sampling");
      if (length !== 2) faults.push(`it samples ${length} words`);
      faults.push(...(await look()).troubles);
      return { reached, step, faults };
    } finally {
      mm.dispose();
    }
  }
}
