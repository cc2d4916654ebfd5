/**
 * Decides which steps of a training are diagnosed, and keeps the results until the next progress report. The candidates
 * follow from the options alone. With `diagnostics: true`, a candidate is left out if diagnosing it would take more than
 * its share of the time so far, so the clock decides which steps are described, but never how.
 */
import type { Diagnostics } from "../../../src/types";
import type { EngineSetup } from "../../engines/engine";
import type { Parameters } from "../../model/layer";
import { now } from "../pace";
import { diagnose } from "./diagnose";
import { exampleDrawer } from "./examples";

/** Most steps with `diagnostics: true`. */
const MOST_STEPS = 50;
/** Most of the training's time with `diagnostics: true`. */
const SHARE = 0.05;

export interface DiagnoserOptions {
  /** As in `TrainOptions.diagnostics`. */
  readonly steps: true | { readonly every: number };
  /** Step at which the training begins or resumes. */
  readonly from: number;
  /** Steps of the whole training. */
  readonly of: number;
  readonly setup: EngineSetup;
}

export class Diagnoser {
  readonly #setup: EngineSetup;
  readonly #draw: ReturnType<typeof exampleDrawer>;
  readonly #every: number;
  readonly #share: number;
  /** The next candidate. */
  #next: number;
  readonly #found: Diagnostics[] = [];
  #started: number | undefined;
  /** Time of all diagnoses, and of the last one, ms. */
  #spent = 0;
  #last = 0;

  constructor({ steps, from, of, setup }: DiagnoserOptions) {
    this.#setup = setup;
    this.#draw = exampleDrawer(setup);
    this.#every = steps === true ? Math.ceil(of / MOST_STEPS) : steps.every;
    this.#share = steps === true ? SHARE : Number.POSITIVE_INFINITY;
    this.#next = steps === true ? from : Math.ceil(from / this.#every) * this.#every;
  }

  /** The next step, from this one on, before which the training must pause. */
  next(step: number): number {
    return Math.max(this.#next, step);
  }

  /**
   * Whether to diagnose the step that comes after this many. A training that goes back, because it lost its engine, does
   * not diagnose a step again.
   */
  begins(step: number): boolean {
    const time = now();
    this.#started ??= time;
    if (step !== this.#next) return false;
    if (this.#spent === 0 || this.#spent + this.#last <= this.#share * (time - this.#started)) return true;
    this.#advance(step);
    return false;
  }

  /**
   * Describes a step.
   *
   * @param ms time that reading the parameters took
   */
  add(step: number, before: Parameters, after: Parameters, ms: number): void {
    const started = now();
    const { network } = this.#setup;
    this.#found.push(diagnose(network, { step, examples: this.#draw(step), before, after }));
    this.#last = ms + now() - started;
    this.#spent += this.#last;
    this.#advance(step);
  }

  #advance(step: number): void {
    this.#next = (Math.floor(step / this.#every) + 1) * this.#every;
  }

  /** Returns the results since the last call. */
  take(): Diagnostics[] {
    return this.#found.splice(0);
  }
}
