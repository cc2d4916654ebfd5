/**
 * The words. A text area takes seconds to lay out 30,000 lines, at each keystroke again. So it shows only a part of
 * a long text, and this panel keeps the rest.
 */
import { debounce, find, isolate, make, messageOf, offer, reveal } from "./dom";
import { count, plural } from "./format";
import { type BuiltInList, listOf } from "./lists";
import { type Question, questionOf } from "./table";
import { type Content, contentOf, decode, type Guess, readableLines } from "./textFile";
import { LONGEST, lineBatches, NO_WORDS, partEnd, partStart, readWordList, type WordList } from "./wordList";

export class WordsPanel {
  readonly #area = find("words", HTMLTextAreaElement);
  readonly #count = find("words-count", HTMLElement);
  readonly #partText = find("words-part", HTMLElement);
  readonly #source = find("words-source", HTMLElement);
  readonly #error = find("words-error", HTMLElement);
  readonly #edit = find("words-edit", HTMLButtonElement);
  readonly #earlier = find("words-earlier", HTMLButtonElement);
  readonly #later = find("words-later", HTMLButtonElement);
  readonly #undo = find("words-undo", HTMLButtonElement);
  readonly #question = find("words-question", HTMLElement);
  readonly #details = find("words-list", HTMLDetailsElement);
  readonly #own = find("words-own", HTMLButtonElement);
  readonly #chips = new Map<BuiltInList, HTMLButtonElement>();
  /** The page's list, as it was fetched, if the words are one. */
  #chosen: BuiltInList | undefined;
  readonly #watchers: ((chosen: BuiltInList | undefined) => void)[] = [];
  /** The text around the part that the area shows. */
  #before = "";
  #after = "";
  /** The part that was put into the area, and the area's version of it, which has other line ends. */
  #part = { text: "", value: "" };
  /** The whole text: the same string object until it changes, so that comparing is cheap. */
  #text = "";
  /** What `#list` was read from. */
  #listed = "";
  #reading = new AbortController();
  #list: Promise<WordList> = Promise.resolve(NO_WORDS);
  /** Whether each line is a word, whatever it looks like, because the visitor said so. */
  #asLines = false;
  /** The words before the last replacement, for Undo. */
  #replaced: { text: string; source: string; asLines: boolean; chosen: BuiltInList | undefined } = {
    text: "",
    source: "",
    asLines: false,
    chosen: undefined,
  };
  /** Counts changes and requests, so that a late answer does not replace newer words. */
  #asked = 0;

  constructor() {
    const file = find("words-file", HTMLInputElement);
    const read = debounce(300, () => void this.current());
    this.#area.addEventListener("input", () => {
      this.#asked++;
      this.#choose(undefined);
      read();
    });
    this.#area.addEventListener("paste", (event) => this.#insert(event, event.clipboardData));
    this.#area.addEventListener("drop", (event) => this.#insert(event, event.dataTransfer));
    this.#edit.addEventListener("click", () => {
      this.#area.readOnly = false;
      this.#showParts();
      this.#area.focus();
    });
    this.#later.addEventListener("click", () => {
      const start = this.#before.length + this.#value().length;
      this.#place(this.#whole(), start, partEnd(this.#whole(), start));
    });
    this.#earlier.addEventListener("click", () => {
      const end = this.#before.length;
      this.#place(this.#whole(), partStart(this.#whole(), end), end);
    });
    this.#undo.addEventListener("click", () => {
      this.#undo.hidden = true;
      const { text, source, asLines, chosen } = this.#replaced;
      this.#replace(text, source, asLines, chosen);
      this.#area.focus();
    });
    for (const chip of document.querySelectorAll<HTMLButtonElement>(".chip")) {
      const list = listOf(chip.dataset.list);
      if (!list) continue;
      chip.addEventListener("click", () => void this.show(list));
      this.#chips.set(list, chip);
    }
    this.#own.addEventListener("click", () => {
      this.#replace("");
      this.#details.open = true;
      this.#area.focus();
      this.#area.placeholder = "One word per line. A few hundred are enough.";
    });
    find("words-open", HTMLButtonElement).addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      const [chosen] = file.files ?? [];
      if (chosen) await this.open(chosen);
      file.value = "";
    });
  }

  /** The current words; pending typing is read first. */
  current(): Promise<WordList> {
    const text = this.#whole();
    if (text !== this.#listed) this.#read(text);
    return this.#list;
  }

  /** Whether the visitor must first say what the words are; scrolls to that question. */
  asks(): boolean {
    if (this.#question.hidden) return false;
    this.#details.open = true;
    this.#question.querySelector("button")?.focus({ preventScroll: true });
    reveal(this.#question);
    return true;
  }

  /** The page's list that is shown; undefined for the visitor's own words. */
  get chosen(): BuiltInList | undefined {
    return this.#chosen;
  }

  /** What the page calls a list. */
  labelOf(list: BuiltInList | undefined): string {
    return (list && this.#chips.get(list)?.textContent) ?? "your own words";
  }

  /** Calls `watcher` whenever another list of the page, or none of them, is chosen. */
  watch(watcher: (chosen: BuiltInList | undefined) => void): void {
    this.#watchers.push(watcher);
  }

  /** The whole current text. */
  get text(): string {
    return this.#whole();
  }

  /** Takes the visitor's own words. */
  take(text: string, source: string): void {
    this.#replace(text, source);
  }

  /** Fetches a list of the page and takes its words. */
  async show(list: BuiltInList): Promise<void> {
    const asked = ++this.#asked;
    try {
      const response = await fetch(list.url);
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      const text = await response.text();
      if (asked === this.#asked) this.#replace(text, "", false, list);
    } catch (error) {
      if (asked !== this.#asked) return;
      if (this.#listed === "") this.#count.textContent = "No words yet.";
      this.showError(
        `The list “${this.labelOf(list)}” did not arrive from ${list.url} (${messageOf(error)}). Choose another, or write or open your own.`,
      );
    }
  }

  /** A file of words, in whatever encoding. */
  async open(file: File, content?: Content): Promise<void> {
    const asked = ++this.#asked;
    try {
      const what = content ?? (await contentOf(file));
      if (asked !== this.#asked) return;
      if (what.kind === "model")
        this.showError(`${file.name} is a model, not words; open it below, under Keep it.`);
      else if (what.kind === "other")
        this.showError(`${file.name} is not text; save it as a text file (.txt or .csv) and open that.`);
      else if (what.sure)
        await this.#decode(file, what.encodings[0]?.encoding ?? "utf-8", asked, what.encodings);
      else this.#askEncoding(file, what.encodings);
    } catch (error) {
      if (asked === this.#asked) this.showError(`${file.name} could not be read: ${messageOf(error)}`);
    }
  }

  /** Shows what is wrong with the words. An empty message clears it. */
  showError(message: string): void {
    this.#error.textContent = message;
    if (message) this.#details.open = true;
    if (message) this.#area.setAttribute("aria-invalid", "true");
    else this.#area.removeAttribute("aria-invalid");
  }

  /** Scrolls to the words, or to the question about them, or to their error. */
  reveal(): void {
    if (this.asks()) return;
    this.#details.open = true;
    reveal(this.#area);
    reveal(this.#count);
    if (this.#error.textContent) reveal(this.#error);
  }

  /** Moves the focus to the words, and shows their error. */
  revealError(): void {
    this.#area.focus({ preventScroll: true });
    reveal(this.#area);
    reveal(this.#error);
  }

  async #decode(file: File, encoding: string, asked: number, guesses: readonly Guess[]): Promise<void> {
    const { text, leftOut } = await readableLines(await decode(file, encoding));
    if (asked !== this.#asked) return;
    const read = encoding === "utf-8" ? "" : `, read as ${nameOf(encoding)}`;
    const less = leftOut > 0 ? `, without ${plural(leftOut, "line")} that cannot be read` : "";
    this.#replace(text, `From ${file.name}${read}${less}.`);
    if (guesses.length < 2) return;
    const other = make("button", "link", "Other letters?");
    other.type = "button";
    other.addEventListener("click", () => this.#askEncoding(file, guesses));
    this.#source.append(" ", other);
  }

  #askEncoding(file: File, guesses: readonly Guess[]): void {
    this.#ask(
      `${file.name} does not say how its letters are written. Which of these is right?`,
      guesses.map(({ encoding, lines }) => ({
        label: nameOf(encoding),
        examples: lines.slice(0, 3).map((line) => line.trim()),
        take: () => this.#decode(file, encoding, ++this.#asked, []),
      })),
      true,
    );
  }

  /** Asks what a text is meant to be if it is not one word per line. */
  #askForm({ looks, answers }: Question): void {
    this.#ask(`${looks} What are the words?`, [
      ...answers.map(({ label, examples, words }) => ({
        label,
        examples,
        take: async () => {
          const asked = ++this.#asked;
          const source = this.#source.firstChild?.textContent?.replace(/\.$/, ", ") ?? "";
          const text = await words(this.#whole());
          if (asked === this.#asked) this.#replace(text, `${source || "Taken: "}${lowerFirst(label)}.`, true);
        },
      })),
      {
        label: "Each whole line",
        examples: [],
        take: async () => {
          this.#asLines = true;
          this.#read(this.#whole());
        },
      },
    ]);
  }

  #ask(
    question: string,
    answers: readonly { label: string; examples: readonly string[]; take: () => Promise<void> }[],
    focus = false,
  ): void {
    const buttons = answers.map(({ label, examples, take }) => {
      const button = make("button", "", label);
      button.type = "button";
      if (examples.length > 0)
        button.append(
          make(
            "small",
            "",
            ...examples.flatMap((example, i) => [i > 0 ? ", " : "", isolate(shortened(example))]),
          ),
        );
      button.addEventListener("click", async () => {
        offer(button, false);
        // Removing a focused button would drop the focus.
        this.#area.focus({ preventScroll: true });
        this.#question.hidden = true;
        await take();
      });
      return button;
    });
    this.#question.replaceChildren(make("legend", "", question), make("div", "buttons", ...buttons));
    this.#question.hidden = false;
    if (focus) this.asks();
  }

  /** The part that the area shows. */
  #value(): string {
    return this.#area.value === this.#part.value ? this.#part.text : this.#area.value;
  }

  #whole(): string {
    if (this.#area.value === this.#part.value) return this.#text;
    const { value } = this.#area;
    this.#part = { text: value, value };
    this.#text = this.#before + value + this.#after;
    return this.#text;
  }

  /** Replaces the words; Undo brings the old ones back. */
  #replace(text: string, source = "", asLines = false, chosen?: BuiltInList): void {
    this.#asked++;
    const before = this.#whole();
    if (before !== "" && before !== text) {
      this.#replaced = {
        text: before,
        source: this.#source.firstChild?.textContent ?? "",
        asLines: this.#asLines,
        chosen: this.#chosen,
      };
      this.#undo.hidden = false;
    }
    this.#source.textContent = source;
    this.#asLines = asLines;
    const end = partEnd(text, 0);
    this.#area.readOnly = end < text.length;
    this.#place(text, 0, end);
    this.#read(text);
    this.#choose(chosen);
  }

  #choose(chosen: BuiltInList | undefined): void {
    this.#own.setAttribute("aria-pressed", String(chosen === undefined));
    for (const [list, chip] of this.#chips) chip.setAttribute("aria-pressed", String(list === chosen));
    if (chosen === this.#chosen) return;
    this.#chosen = chosen;
    for (const watcher of this.#watchers) watcher(chosen);
  }

  /** Shows a part of a text. */
  #place(text: string, start: number, end: number): void {
    const part = text.slice(start, end);
    this.#text = text;
    this.#before = text.slice(0, start);
    this.#after = text.slice(end);
    this.#area.value = part;
    this.#area.scrollTop = 0;
    this.#part = { text: part, value: this.#area.value };
    this.#showParts();
  }

  #showParts(): void {
    const isPart = this.#before !== "" || this.#after !== "";
    this.#edit.hidden = !isPart || !this.#area.readOnly;
    this.#earlier.hidden = this.#later.hidden = !isPart || this.#area.readOnly;
    offer(this.#earlier, this.#before !== "");
    offer(this.#later, this.#after !== "");
  }

  /** Keeps a pasted long text outside the area. Pasting at the start of one replaces it. */
  #insert(event: ClipboardEvent | DragEvent, data: DataTransfer | null): void {
    const text = data?.getData("text") ?? "";
    // An image, say, has no text.
    if (text === "" || (!this.#area.readOnly && partEnd(text, 0) === text.length)) return;
    event.preventDefault();
    if (this.#area.readOnly) {
      this.#replace(text);
      return;
    }
    const { value, selectionStart, selectionEnd } = this.#area;
    this.#replace(
      this.#before + value.slice(0, selectionStart) + text + value.slice(selectionEnd) + this.#after,
    );
  }

  #read(text: string): void {
    this.#listed = text;
    this.#reading.abort();
    this.#reading = new AbortController();
    this.showError("");
    const question = this.#asLines ? undefined : questionOf(text);
    if (question) {
      this.#details.open = true;
      this.#askForm(question);
    } else this.#question.hidden = true;
    const asLines = this.#asLines;
    this.#list = readWordList(text, this.#reading.signal).then((list) => {
      // A newer text came meanwhile: return that one.
      if (!list) return this.#list;
      this.#partText.textContent = this.#area.readOnly
        ? `The first ${count(this.#part.text.match(/\n/g)?.length ?? 1)} are shown.`
        : "";
      const { size } = list.words;
      this.#count.textContent =
        size === 0
          ? "No words yet."
          : `${plural(size, "word")} of ${plural(list.characters.size, "different character")}.`;
      if (list.tooLong > 0 && !question)
        this.showError(
          `${plural(list.tooLong, "line")} of ${count(LONGEST)} characters or more; a word is shorter.`,
        );
      // The library refuses a text of one line, but takes a list of one word.
      return asLines || size === 1 ? { ...list, given: linesOf(text) } : list;
    });
  }
}

/** Each line of a text, for the library to take as it is. */
function linesOf(text: string): Iterable<string> {
  return {
    *[Symbol.iterator]() {
      for (const lines of lineBatches(text)) yield* lines;
    },
  };
}

/** "windows-1252" is "Windows-1252". */
function nameOf(encoding: string): string {
  return encoding.startsWith("w") ? `W${encoding.slice(1)}` : encoding.toUpperCase();
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

function shortened(example: string): string {
  const characters = [...example.slice(0, 100)];
  return characters.length > 20 ? `${characters.slice(0, 20).join("")}…` : example;
}
