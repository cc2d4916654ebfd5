/**
 * What the panels share: the Makemore that holds the model, the words it was trained on, and the
 * watchers of both.
 */
import {
  Makemore,
  type MakemoreOptions,
  type ModelInfo,
  type ResumeOptions,
  type TrainOptions,
  type TrainResult,
} from "makemore-web";
import type { PreparedModel } from "./prepared";
import type { Standing } from "./recipes";
import { NO_WORDS, type WordList } from "./wordList";

export type BackendChoice = NonNullable<MakemoreOptions["backend"]>;

/**
 * What happened to the model. `asked`: a training was requested. `begun`: it took its first step. `learnt`: it ended
 * or was stopped, and the model keeps what it learned. `refused`: it failed or was stopped before its first step, and
 * nothing changed. `opened`: a model was loaded. `offered`: the page offers one of its small models, or withdraws it;
 * it is opened when somebody asks it for words.
 */
export type Change = "asked" | "begun" | "learnt" | "refused" | "opened" | "offered";

/** Where the model comes from: trained in this visit, or before it. */
export type Origin = "trained" | "file" | "prepared" | "saved";

export class AppState {
  /** The words that the model was trained on; while a file is opened, the words in the page. */
  list: WordList = NO_WORDS;
  #makemore = new Makemore();
  #backend: BackendChoice = "auto";
  #origin: Origin = "trained";
  #offered: PreparedModel | undefined;
  #models = 0;
  #standing: Standing | undefined;
  #training = false;
  readonly #watchers: ((change: Change) => void)[] = [];

  /** What samples, scores and exports. */
  get makemore(): Makemore {
    return this.#makemore;
  }

  get model(): ModelInfo | undefined {
    return this.#makemore.model;
  }

  /** Where the model comes from. A model that was opened and then trained here is `trained`. */
  get origin(): Origin {
    return this.#origin;
  }

  /** Whether the model came from a file, without words, and was not trained here afterwards. */
  get fromFile(): boolean {
    return this.#origin === "file" || this.#origin === "prepared";
  }

  /** The page's small model for the chosen list, until it is opened or a training begins. */
  get offered(): PreparedModel | undefined {
    return this.#offered;
  }

  /** Last step of the training, from which `resume` goes on. The model may have the weights of an earlier, better step. */
  get standing(): Standing | undefined {
    return this.#standing;
  }

  /** Counts models, to tell the words of one from those of the next. */
  get models(): number {
    return this.#models;
  }

  /** Whether a training runs. */
  get training(): boolean {
    return this.#training;
  }

  /** Calls `watcher` at each change from now on. */
  watch(watcher: (change: Change) => void): void {
    this.#watchers.push(watcher);
  }

  /**
   * Trains a new model. A Makemore cannot change its backend, so another backend needs another
   * Makemore. The old one stays until the new one has taken a step: a refused call
   * changes nothing.
   */
  async train(list: WordList, options: TrainOptions, backend: BackendChoice): Promise<TrainResult> {
    const before = this.#makemore;
    const makemore = backend === this.#backend ? before : new Makemore({ backend });
    const begin = () => {
      this.list = list;
      this.#origin = "trained";
      this.#offered = undefined;
      this.#models++;
      if (makemore === before) return;
      this.#makemore = makemore;
      this.#backend = backend;
      before.dispose();
    };
    try {
      return await this.#run(begin, options, (watched) => makemore.train(list.given, watched));
    } finally {
      if (this.#makemore !== makemore) makemore.dispose();
    }
  }

  /** Goes on from the last step; a model from a file needs the words for that. */
  resume(list: WordList, options: ResumeOptions): Promise<TrainResult> {
    const { fromFile } = this;
    const words = fromFile ? { words: list.given } : {};
    const begin = () => {
      if (fromFile) this.list = list;
      this.#origin = "trained";
      this.#offered = undefined;
    };
    return this.#run(begin, options, (watched) => this.#makemore.resume({ ...watched, ...words }));
  }

  /** Opens an .onnx file. */
  async load(file: Blob, list: WordList): Promise<void> {
    await this.#makemore.load(file);
    this.#opened(list, "file");
  }

  /** Opens a model that was saved on this machine, with its words. */
  async openSaved(name: string, list: WordList): Promise<void> {
    const makemore = await Makemore.open(name);
    // A training may have begun meanwhile: its model stays.
    if (this.#training) {
      makemore.dispose();
      return;
    }
    this.#makemore.dispose();
    this.#makemore = makemore;
    this.#backend = "auto";
    this.#opened(list, "saved");
  }

  #opened(list: WordList, origin: Origin): void {
    this.#origin = origin;
    this.#offered = undefined;
    this.#models++;
    this.#standing = this.model;
    this.list = list;
    this.#changed("opened");
  }

  /** Offers a small model of the page, or none. During a training it offers none, because the trained model must stay. */
  offer(model: PreparedModel | undefined): void {
    this.#offered = this.#training ? undefined : model;
    this.#changed("offered");
  }

  /** Opens the model that is offered; its words must be `list`. */
  async openOffered(list: WordList): Promise<void> {
    const offered = this.#offered;
    if (!offered) return;
    const response = await fetch(offered.url);
    if (!response.ok)
      throw new Error(
        `The model did not arrive from ${offered.url} (${response.status} ${response.statusText}).`,
      );
    const file = await response.blob();
    // Another list may have been chosen, or a training begun, meanwhile.
    if (this.#offered !== offered) return;
    await this.#makemore.load(file, { words: list.given });
    this.#opened(list, "prepared");
  }

  async #run<O extends Pick<TrainOptions, "onProgress">>(
    begin: () => void,
    options: O,
    start: (options: O) => Promise<TrainResult>,
  ): Promise<TrainResult> {
    let begun = false;
    this.#training = true;
    this.#changed("asked");
    try {
      const result = await start({
        ...options,
        onProgress: (progress) => {
          if (!begun) {
            begun = true;
            begin();
            this.#changed("begun");
          }
          this.#standing = { step: progress.step, steps: progress.steps };
          options.onProgress?.(progress);
        },
      });
      this.#standing = { step: result.step, steps: result.steps };
      return result;
    } finally {
      this.#training = false;
      this.#changed(begun ? "learnt" : "refused");
    }
  }

  #changed(change: Change): void {
    for (const watcher of this.#watchers) watcher(change);
  }
}
