/**
 * A running training: a loop over chunks of steps. The engine runs a chunk without a break; progress reports,
 * evaluation, samples, snapshots and stopping happen between chunks. Chunks are sized by time, so all of this
 * stays prompt on any machine and with any model.
 */
import { MakemoreError } from "../../src/errors";
import { delay, nextTask } from "../../src/slices";
import type { Losses, Progress } from "../../src/types";
import type { Dataset } from "../data/dataset";
import { type Engine, isEngineLost } from "../engines/engine";
import type { Parameters } from "../model/layer";
import type { Checkpoint } from "./checkpoint";
import type { Diagnoser } from "./diagnostics/diagnoser";
import { now, Pace } from "./pace";
import { learningRates } from "./schedule";
import type { Watch } from "./watch";

/** Target duration of a chunk, ms: long enough to be worth its overhead, short enough to answer calls. */
const CHUNK_MS = 50;
/** Maximum pause between two chunks for the calls that run beside a training, ms. */
const OTHERS_MS = 100;
/** Maximum growth from one chunk to the next, because short chunks give inaccurate timings. */
const GROWTH = 4;
/** Minimum interval of progress reports, ms. */
const PROGRESS_MS = 50;
/** Maximum interval of snapshots, ms: a lost device costs at most this much training. */
const SNAPSHOT_MS = 1000;
/** Maximum number of engines lost in a row at the same checkpoint before a training gives up. */
const MAX_LOSSES = 3;

export interface TrainingOptions {
  readonly evalEvery: number;
  readonly sampleEvery: number;
  /** Watches the validation loss; absent if the recipe does not. */
  readonly watch?: Watch | undefined;
  /** Describes some of the steps; absent without `diagnostics`. */
  readonly diagnoser?: Diagnoser | undefined;
  /** Notices from choosing the engine. */
  readonly notices: readonly string[];
  /**
   * Makes an engine that goes on from a checkpoint, in place of one that was lost; `again` is true if the
   * previous one was lost at the same checkpoint as well.
   */
  readonly openEngine: (from: Checkpoint, lost: Engine, again: boolean) => Promise<Engine>;
  readonly evaluate: (checkpoint: Checkpoint) => Promise<Pick<Losses, "train" | "validation">>;
  readonly sample: (checkpoint: Checkpoint) => Promise<string[]>;
  readonly onProgress: (progress: Progress) => void;
  /** Settles when the calls that run beside the training are answered; undefined if there are none. */
  readonly others: () => Promise<unknown> | undefined;
}

export class Training {
  /** Loss of every step so far, from the initial checkpoint on. */
  readonly losses: Float32Array<ArrayBuffer>;
  readonly notices: string[];
  #checkpoint: Checkpoint;
  readonly #first: number;
  #step: number;
  #stopped = false;
  /** Whether the watch lost its patience before the end of the recipe. */
  #endedEarly = false;
  #noticesReported = 0;
  #waiting: ((checkpoint: Checkpoint) => void)[] = [];

  /** @param from initial checkpoint: step 0 of a new model, or the point to resume from */
  constructor(
    from: Checkpoint,
    readonly dataset: Dataset,
    readonly options: TrainingOptions,
  ) {
    this.#checkpoint = from;
    this.notices = [...options.notices];
    this.#first = this.#step = from.step;
    this.losses = new Float32Array(Math.max(0, from.recipe.steps - from.step));
  }

  /** Makes `run` end at the next chunk boundary; the steps so far count. */
  stop(): void {
    this.#stopped = true;
  }

  /** Returns the model at the latest or the next chunk boundary. Only while `run` is running. */
  async snapshot(): Promise<Checkpoint> {
    if (this.#checkpoint.step === this.#step && this.#step > this.#first) return this.#checkpoint;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Trains to the end of the recipe, until the watch loses its patience, or until stopped.
   *
   * @param engine made for the initial checkpoint; disposed of at the end
   * @returns the engine that ran the last step
   */
  async run(engine: Engine): Promise<Engine> {
    let current = engine;
    let lost = 0;
    let lostFrom = -1;
    const { watch } = this.options;
    try {
      // The watch of a loaded model has not looked at this step yet.
      if (watch?.isDue(this.#first)) await watch.look(this.#checkpoint);
      for (;;) {
        try {
          await this.#loop(current);
          return current;
        } catch (error) {
          current.dispose();
          if (!isEngineLost(error)) throw error;
          const from = this.#checkpoint;
          if (this.#stopped) {
            // Already stopped: keep the last snapshot.
            this.#step = from.step;
            return current;
          }
          lost = from.step === lostFrom ? lost + 1 : 1;
          lostFrom = from.step;
          if (lost > MAX_LOSSES) throw error;
          const replacement = await this.options.openEngine(from, current, lost > 1);
          this.notices.push(
            `The ${current.backend} engine was lost at step ${this.#step} (${error.message}); training went on from step ${from.step} on ${replacement.backend}.`,
          );
          this.#step = from.step;
          current = replacement;
        }
      }
    } finally {
      current.dispose();
      for (const resolve of this.#waiting.splice(0)) resolve(this.#checkpoint);
    }
  }

  async #loop(engine: Engine): Promise<void> {
    const { recipe } = this.#checkpoint;
    const { evalEvery, sampleEvery, watch, diagnoser, onProgress } = this.options;
    const pace = new Pace();
    let steps = 1;
    let snapshotAt = now();
    let reportedAt = -PROGRESS_MS;
    let reportedStep = this.#step;
    const due = (every: number) => every > 0 && this.#step % every === 0;
    const untilDue = (every: number) => (every > 0 ? every - (this.#step % every) : recipe.steps);

    while (this.#step < recipe.steps && !this.#stopped && !this.#endedEarly) {
      const diagnosed = diagnoser?.begins(this.#step) ? await this.#before(engine) : undefined;
      const count = Math.min(
        diagnosed ? 1 : steps,
        recipe.steps - this.#step,
        untilDue(evalEvery),
        untilDue(sampleEvery),
        (watch?.next(this.#step) ?? recipe.steps) - this.#step,
        (diagnoser?.next(this.#step + 1) ?? recipe.steps) - this.#step,
      );
      const started = now();
      const losses = await engine.run(
        this.#step,
        learningRates(recipe.learningRate, this.#step, count, recipe.steps),
      );
      // Clocks may tick in whole milliseconds.
      const ms = Math.max(1, now() - started);
      if (count === steps || ms > CHUNK_MS)
        steps = Math.max(1, Math.min(GROWTH * steps, Math.floor((CHUNK_MS * count) / ms)));
      this.#refuseNonsense(losses);
      this.losses.set(losses, this.#step - this.#first);
      if (diagnosed) {
        const reading = now();
        const { parameters } = await engine.read();
        const ms = diagnosed.ms + now() - reading;
        diagnoser?.add(this.#step, diagnosed.parameters, parameters, ms);
      }
      this.#step += count;
      pace.add(count);

      const looks = watch?.isDue(this.#step) ?? false;
      if (looks) {
        await this.#keep(engine);
        snapshotAt = now();
        if (watch) this.#endedEarly = !(await watch.look(this.#checkpoint));
      }

      const finished = this.#step === this.steps || this.#stopped;
      const evaluates = due(evalEvery);
      const samples = due(sampleEvery);
      if (!looks && (evaluates || samples || finished || now() - snapshotAt > SNAPSHOT_MS)) {
        await this.#keep(engine);
        snapshotAt = now();
      }

      // Always report evaluations and samples; if it is too soon after the last report, wait. Shortly before the end,
      // make no other report except the first, so that the last one need not wait.
      const stepsPerSecond = pace.stepsPerSecond();
      const secondsLeft = (this.steps - this.#step) / stepsPerSecond;
      const isFirst = reportedStep === this.#first;
      const isTime = now() - reportedAt >= PROGRESS_MS && (isFirst || secondsLeft * 1000 > PROGRESS_MS);
      if (evaluates || samples || finished || isTime) {
        const extras = {
          ...(evaluates ? { evaluation: await this.options.evaluate(this.#checkpoint) } : {}),
          ...(samples ? { samples: await this.options.sample(this.#checkpoint) } : {}),
        };
        // Stopped meanwhile: results may be partial, so do not report them.
        if (this.#stopped) break;
        const late = reportedAt + PROGRESS_MS - now();
        // Timers drop fractions of a millisecond.
        if (late > 0) await delay(Math.ceil(late));
        const diagnostics = diagnoser?.take() ?? [];
        const notice = this.notices.slice(this.#noticesReported).join(" ");
        this.#noticesReported = this.notices.length;
        onProgress({
          step: this.#step,
          steps: this.steps,
          loss: mean(this.losses.subarray(reportedStep - this.#first, this.#step - this.#first)),
          stepsPerSecond,
          secondsLeft,
          backend: engine.backend,
          device: engine.device,
          ...extras,
          ...(diagnostics.length > 0 ? { diagnostics } : {}),
          ...(notice ? { notice } : {}),
        });
        reportedAt = now();
        reportedStep = this.#step;
      }
      await nextTask();
      // Calls that arrived during the chunk have started by now. They get the current model, and the thread for a
      // while; otherwise each of their steps would wait for a chunk.
      if (this.#waiting.length > 0) {
        if (this.#checkpoint.step !== this.#step) await this.#keep(engine);
        for (const resolve of this.#waiting.splice(0)) resolve(this.#checkpoint);
      }
      const others = this.options.others();
      if (others) await Promise.race([others, delay(OTHERS_MS)]);
    }
    // Stopped between two chunks, after the last snapshot.
    if (this.#checkpoint.step !== this.#step) await this.#keep(engine);
  }

  /** Reads the parameters before a step that will be diagnosed. */
  async #before(engine: Engine): Promise<{ parameters: Parameters; ms: number }> {
    const started = now();
    if (this.#checkpoint.step !== this.#step) await this.#keep(engine);
    return { parameters: this.#checkpoint.parameters, ms: now() - started };
  }

  /** Takes a snapshot of the engine's numbers, if all are finite. */
  async #keep(engine: Engine): Promise<void> {
    const state = await engine.read();
    const moments = [...(state.optimizerState?.values() ?? [])].flatMap((tensors) => [...tensors]);
    for (const [name, values] of [...state.parameters, ...moments])
      if (!areFinite(values))
        throw this.#diverged(`After step ${this.#step} ${name} or its moments are not finite`);
    this.#checkpoint = { ...this.#checkpoint, ...state, step: this.#step };
  }

  /** Ends the training at a loss that is not finite, because it never recovers. */
  #refuseNonsense(losses: Float32Array): void {
    const bad = losses.findIndex((loss) => !Number.isFinite(loss));
    if (bad >= 0) throw this.#diverged(`The loss of step ${this.#step + bad} is ${losses[bad]}`);
  }

  #diverged(what: string): MakemoreError {
    const stays = `The model stays as it was at step ${this.#checkpoint.step}.`;
    return new MakemoreError("DIVERGED", `${what}; try a lower learningRate. ${stays}`);
  }

  /** The last snapshot, whose numbers are all finite. */
  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /** Total number of steps: the recipe's, or fewer if the watch ended the training early. */
  get steps(): number {
    return this.#endedEarly ? this.#step : this.#checkpoint.recipe.steps;
  }

  /** Steps done so far. */
  get step(): number {
    return this.#step;
  }
}

function areFinite(values: Float32Array): boolean {
  // NaN and Infinity times 0 is NaN, which stays in the sum.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? 0) * 0;
  return sum === 0;
}

function mean(values: Float32Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
