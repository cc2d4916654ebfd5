/** Saves a running training under a name, so that a closed tab loses only seconds of it. */
import type { Dataset } from "../data/dataset";
import type { Checkpoint } from "../training/checkpoint";
import { now } from "../training/pace";
import { saveModel } from "./storage";

/** Minimum time from the end of one save to the start of the next, ms. */
const PAUSE_MS = 2000;

export class Autosave {
  readonly #name: string;
  readonly #dataset: Dataset;
  readonly #say: (notice: string) => void;
  readonly #said = new Set<string>();
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  #savedAt = now();

  /** @param say called once per distinct reason for a failed save */
  constructor(name: string, dataset: Dataset, say: (notice: string) => void) {
    this.#name = name;
    this.#dataset = dataset;
    this.#say = say;
  }

  /** Saves a checkpoint, unless another was saved less than `PAUSE_MS` ago. */
  offer(checkpoint: Checkpoint): void {
    if (!this.#isWriting && now() - this.#savedAt >= PAUSE_MS) this.#writing = this.#save(checkpoint);
  }

  /** Saves the last checkpoint. Never rejects. */
  async end(checkpoint: Checkpoint): Promise<void> {
    await this.#writing;
    await this.#save(checkpoint);
  }

  async #save(checkpoint: Checkpoint): Promise<void> {
    this.#isWriting = true;
    try {
      await saveModel("saveAs", this.#name, { checkpoint, dataset: this.#dataset });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#said.has(reason)) return;
      this.#said.add(reason);
      this.#say(`The model of step ${checkpoint.step} was not saved: ${reason}`);
    } finally {
      this.#isWriting = false;
      this.#savedAt = now();
    }
  }
}
