/**
 * What the panels share: the Makemore that holds the model, the words it learnt from, and who
 * wants to know when either changes.
 */
import {
  Makemore,
  type MakemoreOptions,
  type ModelInfo,
  type ResumeOptions,
  type TrainOptions,
  type TrainResult,
} from "makemore-web";
import { NO_WORDS, type WordList } from "./words";

export type BackendChoice = NonNullable<MakemoreOptions["backend"]>;

export class Session {
  /** The words that the model learnt from, or that stand in the page while a file is opened. */
  list: WordList = NO_WORDS;
  #makemore = new Makemore();
  #backend: BackendChoice = "auto";
  #fromFile = false;
  #training = false;
  readonly #watchers: (() => void)[] = [];

  /** What samples, scores and exports. */
  get makemore(): Makemore {
    return this.#makemore;
  }

  get model(): ModelInfo | undefined {
    return this.#makemore.model;
  }

  /** Whether the model came from a file and has not been trained here since. */
  get fromFile(): boolean {
    return this.#fromFile;
  }

  /** Whether a training runs. */
  get training(): boolean {
    return this.#training;
  }

  /** Calls `watcher` when there is another model, or training begins or ends. */
  watch(watcher: () => void): void {
    this.#watchers.push(watcher);
  }

  /**
   * Trains a new model. A Makemore keeps its backend for life, so another backend means another
   * Makemore; the one before it stays until the new one has taken a step, and a refused call
   * costs nothing.
   */
  async train(list: WordList, options: TrainOptions, backend: BackendChoice): Promise<TrainResult> {
    const before = this.#makemore;
    const makemore = backend === this.#backend ? before : new Makemore({ backend });
    const begun = () => {
      this.list = list;
      this.#fromFile = false;
      if (makemore === before || this.#makemore === makemore) return;
      this.#makemore = makemore;
      this.#backend = backend;
      before.dispose();
    };
    try {
      return await this.#run(begun, options, (watched) => makemore.train(list.text, watched));
    } finally {
      if (this.#makemore !== makemore) makemore.dispose();
    }
  }

  /** Goes on from where training stands; a model from a file needs the words for that. */
  resume(list: WordList, options: ResumeOptions): Promise<TrainResult> {
    const fromFile = this.#fromFile;
    const words = fromFile ? { words: list.text } : {};
    const begun = () => {
      if (fromFile) this.list = list;
      this.#fromFile = false;
    };
    return this.#run(begun, options, (watched) => this.#makemore.resume({ ...watched, ...words }));
  }

  /** Opens an .onnx file. */
  async load(file: Blob, list: WordList): Promise<void> {
    await this.#makemore.load(file);
    this.#fromFile = true;
    this.list = list;
    this.#changed();
  }

  async #run<O extends Pick<TrainOptions, "onProgress">>(
    begun: () => void,
    options: O,
    start: (options: O) => Promise<TrainResult>,
  ): Promise<TrainResult> {
    let first = true;
    this.#training = true;
    this.#changed();
    try {
      const result = await start({
        ...options,
        onProgress: (progress) => {
          if (first) {
            first = false;
            begun();
            this.#changed();
          }
          options.onProgress?.(progress);
        },
      });
      begun();
      return result;
    } finally {
      this.#training = false;
      this.#changed();
    }
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
