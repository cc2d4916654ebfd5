/** Queues calls: those that change the model run one after another, and those that read it wait for its setup. */
import { MakemoreError } from "../../src/errors";
import { settled } from "../../src/slices";
import { orAborted } from "./calls";

/** A waiting or running call that changes the model. */
interface Change {
  /** Method name, for messages. */
  readonly call: string;
  readonly isTraining: boolean;
  readonly signal: AbortSignal;
}

/** Sets a model up after the previous change has ended; calls that read the model wait until it is done. */
export type Open = <T>(setUp: () => Promise<T>) => Promise<T>;

export class Changes {
  /** The latest change, until it has ended. */
  #last: { readonly change: Change; readonly ended: Promise<void> } | undefined;
  /** Settles when the latest requested model is set up, or its setup has failed. */
  #opening: Promise<void> = Promise.resolve();

  /**
   * Runs a call that changes the model. It starts at once, but `open` waits until the previous change has ended.
   *
   * @throws MakemoreError `BUSY` if the previous change is a training that was not stopped
   */
  async run<T>(change: Change, work: (open: Open) => Promise<T>): Promise<T> {
    const { call, signal } = change;
    const before = this.#last;
    if (before?.change.isTraining && !before.change.signal.aborted)
      throw new MakemoreError(
        "BUSY",
        `${call}: a training is running; wait for it, or end it first, with stop() or its signal.`,
      );
    let resolve = () => {};
    const ended = new Promise<void>((r) => {
      resolve = r;
    });
    this.#last = { change, ended };
    const end = async () => {
      // This change may have ended before its turn; the next one must still wait for the previous one.
      if (before) await before.ended;
      if (this.#last?.change === change) this.#last = undefined;
      resolve();
    };
    try {
      return await work((setUp) => {
        const opened = (async () => {
          if (before) await orAborted(before.ended, signal);
          return setUp();
        })();
        this.#opening = settled(opened);
        return opened;
      });
    } finally {
      void end();
    }
  }

  /** Waits until the latest requested model is set up, or its setup has failed. */
  async opened(signal: AbortSignal): Promise<void> {
    await orAborted(this.#opening, signal);
  }
}
