/** Saves a training under a name as it goes, so that a closed tab loses seconds. */
import type { Dataset } from "../data/dataset";
import type { Checkpoint } from "../training/checkpoint";
import { saveModel } from "./storage";

/** From the end of one save to the beginning of the next at the least, ms. */
const PAUSE_MS = 2000;

export class Autosave {
  readonly #name: string;
  readonly #dataset: Dataset;
  readonly #say: (notice: string) => void;
  readonly #said = new Set<string>();
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  #savedAt = performance.now();

  /** @param say is told once of each reason for which a save failed */
  constructor(name: string, dataset: Dataset, say: (notice: string) => void) {
    this.#name = name;
    this.#dataset = dataset;
    this.#say = say;
  }

  /** Saves a checkpoint, unless the last one was saved just now. */
  offer(checkpoint: Checkpoint): void {
    if (!this.#isWriting && performance.now() - this.#savedAt >= PAUSE_MS)
      this.#writing = this.#save(checkpoint);
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
      this.#savedAt = performance.now();
    }
  }
}
