/** Calls that wait: those that change the model run one after another, and readers wait for its setup. */
import { MakemoreError } from "../../src/errors";
import { orAborted } from "./calls";

/** A call that changes the model, from when it is asked for until it has ended. */
interface Change {
  /** The method, for messages. */
  readonly call: string;
  readonly isTraining: boolean;
  readonly signal: AbortSignal;
}

/** Sets a model up, once the change before has ended; readers of the model wait until it is done. */
export type Open = <T>(setUp: () => Promise<T>) => Promise<T>;

export class Changes {
  /** The last change, if it has not ended. */
  #last: { readonly change: Change; readonly ended: Promise<void> } | undefined;
  /** Settles when the model that was last asked for is there, or could not be had. */
  #opening: Promise<unknown> = Promise.resolve();

  /**
   * Runs a call that changes the model; its first part at once, `open` when the one before has ended.
   *
   * @throws MakemoreError `BUSY` if the one before is a training that nobody stops
   */
  async run<T>(change: Change, work: (open: Open) => Promise<T>): Promise<T> {
    const { call, signal } = change;
    const before = this.#last;
    if (before?.change.isTraining && !before.change.signal.aborted)
      throw new MakemoreError(
        "BUSY",
        `${call}: a training is under way; wait for it, or stop it with its signal first.`,
      );
    let resolve = () => {};
    const ended = new Promise<void>((r) => {
      resolve = r;
    });
    this.#last = { change, ended };
    const end = async () => {
      // This change may have been stopped before its turn.
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
        this.#opening = opened.catch(() => {});
        return opened;
      });
    } finally {
      void end();
    }
  }

  /** Waits until the model that was last asked for is there, or could not be had. */
  async opened(signal: AbortSignal): Promise<void> {
    await orAborted(this.#opening, signal);
  }
}
