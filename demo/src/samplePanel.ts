/** New words, and which of them are not new. */
import type { SampleOptions } from "makemore-web";
import type { AppState } from "./appState";
import { field, find, make, markFields, messageOf, numberOf, offer, requiredNumber } from "./dom";
import { count, plural } from "./format";
import { normalForm } from "./wordList";

/** Words that a page lays out in no time. */
const MOST = 1000;

export class SamplePanel {
  readonly #app: AppState;
  readonly #form = find("sample-form", HTMLFormElement);
  readonly #button = find("sample", HTMLButtonElement);
  readonly #error = find("sample-error", HTMLElement);
  readonly #status = find("sample-status", HTMLElement);
  readonly #out = find("samples", HTMLElement);
  /** Of the model that wrote what stands there. */
  #writer = 0;
  /** The call under way. */
  #writing: AbortController | undefined;

  constructor(app: AppState) {
    this.#app = app;
    const temperature = find("temperature-value", HTMLOutputElement);
    field(this.#form, "temperature").addEventListener("input", () => {
      temperature.value = Number(field(this.#form, "temperature").value).toFixed(1);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#writing) void this.#write();
    });
    app.watch((change) => {
      this.#offer();
      // The first words of another model come by themselves.
      if (app.model && (change === "learnt" || change === "opened")) void this.#write();
    });
  }

  /** Asks for words; what was asked before is not waited for any more. */
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
    offer(this.#button, this.#app.model !== undefined && this.#writing === undefined);
  }

  /** No words: those of another model go, so that nobody takes them for this one's. */
  #fail(message: string): void {
    this.#show(message);
    if (this.#writer === this.#app.models) return;
    this.#out.replaceChildren();
    this.#status.textContent = "";
  }

  #list(words: readonly string[], milliseconds: number): void {
    const known = this.#app.list.words;
    const isListed = (word: string) => known.has(normalForm(word));
    const listed = words.filter(isListed).length;
    this.#writer = this.#app.models;
    this.#out.replaceChildren(...words.map((word) => entry(word, isListed(word))));
    this.#status.textContent = `${plural(words.length, "word")} in ${count(milliseconds)} ms: ${count(words.length - listed)} new, ${count(listed)} in your list.`;
  }

  #checked(name: string): boolean {
    const box = field(this.#form, name);
    return box instanceof HTMLInputElement && box.checked;
  }

  #show(message: string): void {
    this.#error.textContent = message;
    markFields(this.#form, message);
  }
}

function entry(word: string, listed: boolean): HTMLLIElement {
  const item = make("li", listed ? "word listed" : "word", word);
  item.dir = "auto";
  if (listed) item.append(make("span", "hidden", " (in your list)"));
  return item;
}
