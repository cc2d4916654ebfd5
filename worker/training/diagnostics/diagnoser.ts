/**
 * Decides which steps of a training are diagnosed, and keeps the results until the next progress report. The candidates
 * follow from the options alone. With `diagnostics: true`, as many of them are diagnosed as their share of the training's
 * time allows, evenly spread. So the clock decides which steps are described, but never how.
 */
import type { Diagnostics } from "../../../src/types";
import type { EngineSetup } from "../../engines/engine";
import type { Parameters } from "../../model/layer";
import { now } from "../pace";
import { diagnose } from "./diagnose";
import { exampleDrawer } from "./examples";

/** Most steps with `diagnostics: true`. */
const MOST_STEPS = 50;
/** Share of the training's time with `diagnostics: true`: 5 %, less what is not measured, such as the shorter chunks. */
const SHARE = 0.04;
/** The first diagnosis takes several times as long as the later ones, because the browser compiles its code. */
const COLD = 3;

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
  readonly #isBounded: boolean;
  readonly #from: number;
  readonly #of: number;
  /** The next candidate. */
  #next: number;
  readonly #found: Diagnostics[] = [];
  #started: number | undefined;
  /** The last step that was diagnosed. */
  #latest: number | undefined;
  /** Time of all diagnoses so far, and of the next one, ms. */
  #spent = 0;
  #cost = 0;

  constructor({ steps, from, of, setup }: DiagnoserOptions) {
    this.#setup = setup;
    this.#draw = exampleDrawer(setup);
    this.#every = steps === true ? Math.ceil(of / MOST_STEPS) : steps.every;
    this.#isBounded = steps === true;
    this.#from = from;
    this.#of = of;
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
    if (this.#latest === undefined || !this.#isBounded) return true;
    if (this.#allows(step, this.#latest, time - this.#started)) return true;
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
    const took = ms + now() - started;
    this.#cost = this.#latest === undefined ? took / COLD : took;
    this.#spent += took;
    this.#latest = step;
    this.#advance(step);
  }

  /** Whether the share of the whole training's time is enough, if the diagnoses are evenly spread over its rest. */
  #allows(step: number, latest: number, elapsed: number): boolean {
    const perStep = (elapsed - this.#spent) / (step - this.#from);
    const left = SHARE * perStep * (this.#of - this.#from) - this.#spent;
    return left >= this.#cost && (step - latest) * left >= (this.#of - step) * this.#cost;
  }

  #advance(step: number): void {
    this.#next = (Math.floor(step / this.#every) + 1) * this.#every;
  }

  /** Returns the results since the last call. */
  take(): Diagnostics[] {
    return this.#found.splice(0);
  }
}
