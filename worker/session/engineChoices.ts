import type { Measurements } from "../../src/protocol";
import { settled } from "../../src/slices";
import type { MakemoreOptions } from "../../src/types";
import { engines } from "../assets";
import type { EngineSetup } from "../engines/engine";
import type { Example } from "../model/layer";
import { type Choice, chooseEngine, warmUp } from "../training/chooseEngine";
import { orAborted } from "./calls";

/** Chooses engines, one choice at a time. */
export class EngineChoices {
  #backend: NonNullable<MakemoreOptions["backend"]> = "auto";
  #measurements: Measurements = new Map();
  /** Settles when the latest choice is made, even if its caller has aborted. */
  #last: Promise<void> = Promise.resolve();

  configure(backend: MakemoreOptions["backend"], measurements: Measurements): void {
    this.#backend = backend ?? "auto";
    this.#measurements = measurements;
  }

  /** All benchmark results so far. */
  get measurements(): Measurements {
    return this.#measurements;
  }

  /** Warms up the engines that `choose` will open, for a training on such examples. */
  warmUp(example: Example): void {
    // Ignore failures: `choose` tries again and reports them.
    warmUp(this.#backend, example, engines, this.#measurements).catch(() => {});
  }

  /**
   * Opens an engine for a training.
   *
   * @throws the signal's reason if it aborts before the choice is made; the engine is then disposed of
   */
  async choose(setup: EngineSetup, signal: AbortSignal): Promise<Choice> {
    // A cancelled benchmark may still be running and would skew this one.
    const choosing = this.#last.then(() => chooseEngine(this.#backend, setup, engines, this.#measurements));
    this.#last = settled(choosing);
    try {
      return await orAborted(choosing, signal);
    } catch (error) {
      if (signal.aborted) choosing.then(({ engine }) => engine.dispose()).catch(() => {});
      throw error;
    }
  }
}
