/**
 * The stage shows words of a model that was trained before, then those of the model as it learns, then new words on
 * request. Words that are in the list are marked.
 */
import type { SampleOptions } from "makemore-web";
import type { AppState, Origin } from "./appState";
import {
  field,
  find,
  make,
  markFields,
  messageOf,
  numberOf,
  offer,
  requiredNumber,
  withoutCall,
} from "./dom";
import { count, plural } from "./format";
import { normalForm } from "./wordList";
import type { WordsPanel } from "./wordsPanel";

/** Words that a page lays out in no time. */
const MOST = 1000;

const LOADING = "Loading the model…";

/** The line that says which model wrote the words. */
const WRITERS: Readonly<Record<Origin, string>> = {
  trained: "By the model you trained.",
  file: "By the model of the file.",
  prepared: "By a model trained before.",
  saved: "By your earlier model.",
};

export class SamplePanel {
  readonly #app: AppState;
  readonly #words: WordsPanel;
  readonly #form = find("sample-form", HTMLFormElement);
  readonly #button = find("sample", HTMLButtonElement);
  readonly #error = find("sample-error", HTMLElement);
  readonly #status = find("sample-status", HTMLElement);
  readonly #out = find("samples", HTMLElement);
  readonly #live = find("live", HTMLElement);
  readonly #writerText = find("writer", HTMLElement);
  readonly #goOn = find("go-on", HTMLButtonElement);
  /** Number of the model that wrote the words on the stage. */
  #writer = 0;
  /** Whether the words are of a model that is offered, not opened. */
  #showsOffered = false;
  /** The call under way. */
  #writing: AbortController | undefined;

  constructor(app: AppState, words: WordsPanel) {
    this.#app = app;
    this.#words = words;
    const temperature = find("temperature-value", HTMLOutputElement);
    field(this.#form, "temperature").addEventListener("input", () => {
      temperature.value = Number(field(this.#form, "temperature").value).toFixed(1);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#writing) return;
      if (app.offered && !app.training) void this.#openOffered();
      else void this.#write();
    });
    app.watch((change) => {
      // A model that is offered is opened with its words on the stage.
      if (change === "opened" && this.#showsOffered && app.origin === "prepared") this.#writer = app.models;
      if (change === "begun" || change === "opened") this.#showsOffered = false;
      if (change === "begun") this.#watchLearning();
      if (change === "offered") this.#showOffered();
      this.#offer();
      // The first words of another model come by themselves.
      if (app.model && (change === "learnt" || change === "opened")) void this.#write();
    });
  }

  /** From here on the words are those that the model writes as it learns. */
  #watchLearning(): void {
    this.#out.hidden = true;
    this.#live.hidden = false;
    this.#status.textContent = "";
    this.#writerText.textContent = "What it writes as it learns.";
  }

  /** Words that the page's model for this list wrote when it was made; nothing is fetched for them. */
  #showOffered(): void {
    const { offered, training } = this.#app;
    if (training) return;
    const showed = this.#showsOffered;
    this.#showsOffered = offered !== undefined;
    if (offered) {
      this.#show("");
      this.#place(offered.words.map((word) => entry(word, false)));
      this.#status.textContent = "";
      this.#writerText.textContent = WRITERS.prepared;
    } else if (!this.#app.model) {
      this.#place([]);
      this.#status.textContent = "";
      this.#writerText.textContent = "Train, and words come here.";
    } else if (showed) void this.#write();
  }

  #place(items: readonly HTMLElement[]): void {
    this.#live.hidden = true;
    this.#out.hidden = false;
    this.#out.replaceChildren(...items);
    this.#out.scrollTop = 0;
  }

  /** Asks for words, and cancels the earlier request. */
  async #write(): Promise<void> {
    this.#show("");
    this.#writing?.abort();
    const wanted = requiredNumber(this.#form, "count");
    if (wanted > MOST) {
      this.#fail(`sample: count is ${wanted}; this page shows at most ${MOST} words at once.`);
      this.#writing = undefined;
      this.#offer();
      return;
    }
    const writing = new AbortController();
    this.#writing = writing;
    this.#offer();
    const options: SampleOptions = {
      temperature: numberOf(this.#form, "temperature"),
      topK: numberOf(this.#form, "topK"),
      topP: numberOf(this.#form, "topP"),
      prefix: field(this.#form, "prefix").value,
      minLength: numberOf(this.#form, "minLength"),
      maxLength: numberOf(this.#form, "maxLength"),
      seed: numberOf(this.#form, "seed"),
      novel: this.#checked("novel"),
      unique: this.#checked("unique"),
      signal: writing.signal,
    };
    const began = performance.now();
    try {
      const words = await this.#app.makemore.sample(wanted, options);
      this.#list(words, performance.now() - began);
    } catch (error) {
      if (!writing.signal.aborted) this.#fail(messageOf(error));
    }
    if (this.#writing !== writing) return;
    this.#writing = undefined;
    this.#offer();
  }

  #offer(): void {
    const { model, offered, training, origin } = this.#app;
    offer(this.#button, (model !== undefined || offered !== undefined) && this.#writing === undefined);
    // Of a model that was trained before, on the list that is chosen.
    this.#goOn.hidden = training || (offered === undefined && origin !== "prepared");
  }

  /** Clears the stage, so that the words of another model are not taken for this one's. */
  #fail(message: string): void {
    this.#show(message);
    if (this.#writer === this.#app.models) return;
    this.#place([]);
    this.#status.textContent = "";
  }

  #list(words: readonly string[], milliseconds: number): void {
    const known = this.#app.list.words;
    const isListed = (word: string) => known.has(normalForm(word));
    const listed = words.filter(isListed).length;
    this.#writer = this.#app.models;
    this.#place(words.map((word) => entry(word, isListed(word))));
    this.#writerText.textContent = this.#app.training
      ? "By your model as it is now."
      : WRITERS[this.#app.origin];
    this.#status.textContent = `${plural(words.length, "word")} in ${count(milliseconds)} ms: ${count(words.length - listed)} new, ${count(listed)} in your list.`;
  }

  /** Opens the model that is offered; its words come as those of any model that is opened. */
  async #openOffered(): Promise<void> {
    const writing = new AbortController();
    this.#writing = writing;
    this.#offer();
    this.#status.textContent = LOADING;
    try {
      await this.#app.openOffered(await this.#words.current());
    } catch (error) {
      this.#show(messageOf(error));
    }
    // Clear only our own message: the first words, or their failure, may have replaced it.
    if (this.#status.textContent === LOADING) this.#status.textContent = "";
    if (this.#writing !== writing) return;
    this.#writing = undefined;
    this.#offer();
  }

  #checked(name: string): boolean {
    const box = field(this.#form, name);
    return box instanceof HTMLInputElement && box.checked;
  }

  #show(message: string): void {
    this.#error.textContent = withoutCall(message);
    markFields(this.#form, message);
  }
}

function entry(word: string, listed: boolean): HTMLLIElement {
  const item = make("li", listed ? "word listed" : "word", word);
  item.dir = "auto";
  if (listed) item.append(make("span", "hidden", " (in your list)"));
  return item;
}
