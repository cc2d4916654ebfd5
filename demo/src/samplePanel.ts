/** New words, and which of them are not new. */
import type { SampleOptions } from "makemore-web";
import { field, find, make, markFields, messageOf, numberOf } from "./dom";
import { count, plural } from "./format";
import type { Session } from "./session";

export class SamplePanel {
  readonly #session: Session;
  readonly #form = find("sample-form", HTMLFormElement);
  readonly #button = find("sample", HTMLButtonElement);
  readonly #error = find("sample-error", HTMLElement);
  readonly #status = find("sample-status", HTMLElement);
  readonly #out = find("samples", HTMLElement);
  #wasTraining = false;

  constructor(session: Session) {
    this.#session = session;
    const temperature = find("temperature-value", HTMLOutputElement);
    field(this.#form, "temperature").addEventListener("input", () => {
      temperature.value = Number(field(this.#form, "temperature").value).toFixed(1);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#write();
    });
    session.watch(() => {
      this.#button.disabled = session.model === undefined;
      // The first words of a model that has just been trained come by themselves.
      if (this.#wasTraining && !session.training && session.model) void this.#write();
      this.#wasTraining = session.training;
    });
  }

  async #write(): Promise<void> {
    this.#show("");
    this.#button.disabled = true;
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
    };
    const began = performance.now();
    try {
      const words = await this.#session.makemore.sample(numberOf(this.#form, "count"), options);
      this.#list(words, performance.now() - began);
    } catch (error) {
      this.#show(messageOf(error));
    }
    this.#button.disabled = false;
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

  #checked(name: string): boolean {
    const box = field(this.#form, name);
    return box instanceof HTMLInputElement && box.checked;
  }

  #show(message: string): void {
    this.#error.textContent = message;
    markFields(this.#form, message);
  }
}
