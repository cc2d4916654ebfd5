/** New words, and which of them are not new. */
import type { SampleOptions } from "makemore-web";
import { field, find, make, markFields, messageOf, numberOf, requiredNumber } from "./dom";
import { count, plural } from "./format";
import type { Session } from "./session";

/** Words that a page lays out in no time. */
const MOST = 1000;

export class SamplePanel {
  readonly #session: Session;
  readonly #form = find("sample-form", HTMLFormElement);
  readonly #button = find("sample", HTMLButtonElement);
  readonly #error = find("sample-error", HTMLElement);
  readonly #status = find("sample-status", HTMLElement);
  readonly #out = find("samples", HTMLElement);
  /** The call under way. */
  #writing: AbortController | undefined;

  constructor(session: Session) {
    this.#session = session;
    const temperature = find("temperature-value", HTMLOutputElement);
    field(this.#form, "temperature").addEventListener("input", () => {
      temperature.value = Number(field(this.#form, "temperature").value).toFixed(1);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#writing) void this.#write();
    });
    // Firefox keeps over a reload which buttons were disabled.
    this.#button.disabled = true;
    session.watch((change) => {
      this.#button.disabled = session.model === undefined;
      if (change === "opened") this.#forget();
      // The first words of another model come by themselves.
      if (session.model && (change === "learnt" || change === "opened")) void this.#write();
    });
  }

  /** Asks for words; what was asked before is not waited for any more. */
  async #write(): Promise<void> {
    this.#show("");
    const wanted = requiredNumber(this.#form, "count");
    if (wanted > MOST) {
      this.#show(`sample: count is ${wanted}; this page shows at most ${MOST} words at once.`);
      return;
    }
    this.#writing?.abort();
    const writing = new AbortController();
    this.#writing = writing;
    // A button that is disabled under the focus would drop it.
    this.#button.setAttribute("aria-disabled", "true");
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
      const words = await this.#session.makemore.sample(wanted, options);
      this.#list(words, performance.now() - began);
    } catch (error) {
      if (!writing.signal.aborted) this.#show(messageOf(error));
    }
    if (this.#writing !== writing) return;
    this.#writing = undefined;
    this.#button.removeAttribute("aria-disabled");
  }

  #list(words: readonly string[], milliseconds: number): void {
    const known = this.#session.list.words;
    const listed = words.filter((word) => known.has(word)).length;
    this.#out.replaceChildren(
      ...words.map((word) =>
        known.has(word)
          ? make("li", "word listed", word, make("span", "hidden", " (in your list)"))
          : make("li", "word", word),
      ),
    );
    this.#status.textContent = `${plural(words.length, "word")} in ${count(milliseconds)} ms: ${count(words.length - listed)} new, ${count(listed)} in your list.`;
  }

  /** Another model's words. */
  #forget(): void {
    this.#out.replaceChildren();
    this.#status.textContent = "";
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
