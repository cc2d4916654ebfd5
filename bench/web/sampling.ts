/** Times this package's sampling and evaluation, as its worker runs them. */
import type { TokenStream } from "../../worker/data/dataset";
import { BOUNDARY } from "../../worker/data/vocabulary";
import { createWasmEngine } from "../../worker/engines/wasm";
import { sampleSettings } from "../../worker/options";
import { Inference } from "../../worker/sampling/inference";
import type { Runtime } from "../../worker/sampling/runtime";
import type { Checkpoint } from "../../worker/training/checkpoint";
import { learningRates, type ResolvedSchedule } from "../../worker/training/schedule";
import { setUp, type Task } from "./trainers";

/** Trains briefly with AdamW, because the names of an untrained model are too long. */
export async function trainBriefly(
  task: Task,
  steps: number,
): Promise<{ checkpoint: Checkpoint; stream: TokenStream }> {
  const { vocabulary, ...setup } = setUp(task);
  const { network, seed, batchSize, optimizer, stream } = setup;
  const learningRate: ResolvedSchedule = {
    peak: 2e-3,
    warmup: 200,
    decay: "cosine",
    final: 0,
    at: 0.75,
    hold: 0,
  };
  const engine = await createWasmEngine(setup);
  await engine.run(0, learningRates(learningRate, 0, steps, steps));
  const { parameters } = await engine.read();
  engine.dispose();
  const { split, shuffle } = task;
  const recipe = {
    steps,
    batchSize,
    learningRate,
    optimizer,
    order: "random",
    targets: "hard",
    teacher: "none",
    seed,
    split,
    shuffle,
    keepBest: false,
    patience: 0,
  } as const;
  return { checkpoint: { vocabulary, network, parameters, step: steps, recipe }, stream };
}

/** The package's calls on one checkpoint. */
export class Sampler {
  readonly #checkpoint: Checkpoint;
  readonly #stream: TokenStream;
  #ort: Runtime | undefined;
  #inference: Inference | undefined;
  #seed = 0;

  /** @param stream words for `evaluate` */
  constructor(checkpoint: Checkpoint, stream: TokenStream) {
    this.#checkpoint = checkpoint;
    this.#stream = stream;
  }

  /** Makes the first call, which starts ONNX Runtime, with two threads if the page is isolated. */
  async first(count: number): Promise<void> {
    const ort = await import("onnxruntime-web/wasm");
    ort.env.wasm.wasmPaths = new URL("/ort/", location.href).href;
    ort.env.wasm.numThreads = crossOriginIsolated ? 2 : 1;
    this.#ort = ort;
    await this.#sample(count);
  }

  /**
   * Times `calls` calls, ms in total.
   *
   * @param fresh whether each call uses a newly trained model, instead of one that has cached prefixes
   */
  async repeat(count: number, calls: number, fresh: boolean): Promise<number> {
    let ms = 0;
    for (let call = 0; call < calls; call++) {
      if (fresh) {
        await this.#inference?.dispose();
        this.#inference = undefined;
        // Opens the graph.
        await this.#sample(1);
      }
      const start = performance.now();
      await this.#sample(count);
      ms += performance.now() - start;
    }
    return ms;
  }

  /** @param words the first ones; all by default */
  async evaluate(words?: number): Promise<{ ms: number; loss: number; examples: number }> {
    let end = 0;
    for (let word = 0; word < (words ?? 0); word++) end = this.#stream.indexOf(BOUNDARY, end + 1);
    const stream = words === undefined ? this.#stream : this.#stream.slice(0, end + 1);
    const start = performance.now();
    const loss = await this.#open().evaluate(stream);
    return { ms: performance.now() - start, loss, examples: stream.length - 1 };
  }

  async #sample(count: number): Promise<void> {
    const words = await this.#open().sample(count, sampleSettings(count, { seed: this.#seed++ }));
    if (words.length !== count) throw new Error(`Asked for ${count} words and got ${words.length}.`);
  }

  #open(): Inference {
    const ort = this.#ort;
    if (!ort) throw new Error("Call first() first.");
    this.#inference ??= new Inference(async () => ort, this.#checkpoint);
    return this.#inference;
  }
}
