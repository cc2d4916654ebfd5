/**
 * The words. A text area takes seconds to lay out 30,000 lines, and again at each keystroke, so a
 * long text is held aside and the area shows its beginning, until someone asks to edit it all.
 */
import namesURL from "../words/names.txt?url";
import { debounce, find, messageOf } from "./dom";
import { plural } from "./format";
import { head, NO_WORDS, readWordList, type WordList } from "./words";

/** UTF-16 units that a text area lays out within a frame or two. */
const SHORT = 8_000;
/** Lines shown of a longer text. */
const SHOWN = 200;

export class WordsPanel {
  readonly #area = find("words", HTMLTextAreaElement);
  readonly #count = find("words-count", HTMLElement);
  readonly #error = find("words-error", HTMLElement);
  readonly #all = find("words-all", HTMLButtonElement);
  readonly #undo = find("words-undo", HTMLButtonElement);
  /** The whole text where the area shows only its beginning. */
  #aside: string | undefined;
  /** What `#list` was read from. */
  #text = "";
  #reading = new AbortController();
  #list: Promise<WordList> = Promise.resolve(NO_WORDS);
  /** What stood there before other words took its place. */
  #replaced = "";
  /** Counts what was written or asked for, so that words that arrive late take nothing newer's place. */
  #asked = 0;

  constructor() {
    const file = find("words-file", HTMLInputElement);
    const read = debounce(300, () => void this.current());
    this.#area.addEventListener("input", () => {
      this.#asked++;
      read();
    });
    this.#area.addEventListener("paste", (event) => this.#paste(event));
    this.#all.addEventListener("click", () => this.#edit(this.#whole()));
    this.#undo.addEventListener("click", () => {
      this.#undo.hidden = true;
      this.#replace(this.#replaced);
      this.#area.focus();
    });
    find("words-bundled", HTMLButtonElement).addEventListener("click", () => this.showNames());
    find("words-own", HTMLButtonElement).addEventListener("click", () => {
      this.#replace("");
      this.#area.focus();
      this.#area.placeholder = "One word a line. A few hundred make a start.";
    });
    find("words-open", HTMLButtonElement).addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      const [chosen] = file.files ?? [];
      if (chosen) await this.open(chosen);
      file.value = "";
    });
  }

  /** The words as they stand; what was typed a moment ago is read first. */
  current(): Promise<WordList> {
    const text = this.#whole();
    if (text !== this.#text) this.#read(text);
    return this.#list;
  }

  /** The bundled list. */
  async showNames(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const response = await fetch(namesURL);
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      const text = await response.text();
      if (asked === this.#asked) this.#replace(text);
    } catch (error) {
      if (asked !== this.#asked) return;
      if (this.#text === "") this.#count.textContent = "No words yet.";
      this.showError(
        `The names did not arrive from ${namesURL} (${messageOf(error)}). Write or open a list.`,
      );
    }
  }

  /** A text file. */
  async open(file: File): Promise<void> {
    const asked = ++this.#asked;
    try {
      const text = await file.text();
      if (asked === this.#asked) this.#replace(text);
    } catch (error) {
      this.showError(`${file.name} could not be read: ${messageOf(error)}`);
    }
  }

  /** An empty message clears it. */
  showError(message: string): void {
    this.#error.textContent = message;
    if (message) this.#area.setAttribute("aria-invalid", "true");
    else this.#area.removeAttribute("aria-invalid");
  }

  #whole(): string {
    return this.#aside ?? this.#area.value;
  }

  /** Other words; there is a way back to those before them. */
  #replace(text: string): void {
    this.#asked++;
    const before = this.#whole();
    if (before !== "" && before !== text) {
      this.#replaced = before;
      this.#undo.hidden = false;
    }
    this.#show(text);
  }

  #show(text: string): void {
    if (text.length <= SHORT) {
      this.#place(text);
      return;
    }
    this.#aside = text;
    this.#area.value = head(text, SHOWN);
    this.#area.readOnly = true;
    this.#all.hidden = false;
    this.#read(text);
  }

  #edit(text: string): void {
    this.#place(text);
    this.#area.focus();
  }

  #place(text: string): void {
    this.#aside = undefined;
    this.#area.value = text;
    this.#area.readOnly = false;
    this.#all.hidden = true;
    this.#read(text);
  }

  /** A long text goes aside; what is pasted on the beginning of one replaces it. */
  #paste(event: ClipboardEvent): void {
    const pasted = event.clipboardData?.getData("text") ?? "";
    // An image, say, has no text.
    if (pasted === "" || (this.#aside === undefined && pasted.length <= SHORT)) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = this.#area;
    this.#replace(
      this.#aside === undefined
        ? value.slice(0, selectionStart) + pasted + value.slice(selectionEnd)
        : pasted,
    );
  }

  #read(text: string): void {
    this.#text = text;
    this.#reading.abort();
    this.#reading = new AbortController();
    this.showError("");
    this.#list = readWordList(text, this.#reading.signal).then((list) => {
      // Overtaken by a newer text: whoever asked for this one gets that one.
      if (!list) return this.#list;
      const shown = this.#aside === undefined ? "" : ` The first ${SHOWN} are shown.`;
      this.#count.textContent = `${plural(list.words.size, "word")} of ${plural(list.characters.size, "different character")}.${shown}`;
      return list;
    });
  }
}
