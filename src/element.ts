/**
 * `<makemore-words list="towns.txt">`: a generator of words as an HTML element, for pages that want nothing else. It
 * trains (or loads) a model when it is on the page, and shows the words with a button for new ones.
 *
 * It imports the main file by its place in dist/, so a page needs no bundler, and shares it with the page's own import.
 */
import { Makemore, MakemoreError, type MakemoreErrorCode, type Progress, type RecipeName } from "./index.js";

/** Attributes that decide on the model: a change starts over. */
const MODEL_ATTRIBUTES = ["list", "model", "steps", "recipe", "save", "assets"];
/** Attributes that decide on the words: a change samples again. */
const SAMPLE_ATTRIBUTES = ["count", "temperature", "prefix", "novel"];

/** Steps between the words that show how far the training is. */
const SAMPLE_EVERY = 250;

const CSS = `
:host { display: block }
:host([hidden]), [hidden] { display: none }
ul { list-style: none; margin: 0; padding: 0 }
p { margin: 0 }
progress { width: 100% }
button { font: inherit }`;
/** Shared by all elements. A constructed style sheet needs no permission of a Content-Security-Policy. */
let styles: CSSStyleSheet | undefined;

/** A server has no `HTMLElement`; importing this file there must not fail. */
const Base = typeof HTMLElement === "undefined" ? (Object as unknown as typeof HTMLElement) : HTMLElement;

/**
 * The element `<makemore-words>`.
 *
 * Where its words come from:
 * - `list`: URL of a text file, a word per line. Without it, the element's own text, or the text of a
 *   `<script type="text/plain">` in it.
 * - `model`: URL of an .onnx file that `exportONNX` wrote, instead of a training.
 * - `save`: keeps the model in the browser's storage under this name; the next visit samples from it at once.
 *
 * Other attributes: `count` (default 10), `temperature` (default 1), `prefix`, `novel` (leave out the words of the
 * list), `steps` and `recipe` (as for `train`), and `assets` (URL of the package's folder, as `assetsURL`).
 *
 * Events: `words`, a `CustomEvent` with the new words in `detail`; `progress`, a `ProgressEvent` with steps in `loaded`
 * and `total`, and `train`'s `Progress` in `detail`; `error`, an `ErrorEvent`. They do not bubble.
 *
 * Parts for `::part()`: `status`, `progress`, `list`, `word`, `button`. The slot `button` holds the button's label.
 */
export class MakemoreWords extends Base {
  static readonly observedAttributes: readonly string[] = [...MODEL_ATTRIBUTES, ...SAMPLE_ATTRIBUTES];

  readonly #status = part("p", "status");
  readonly #progress = part("progress", "progress");
  readonly #list = part("ul", "list");
  readonly #button = part("button", "button");
  readonly #observer = new MutationObserver(() => {
    if (this.#ownWords !== undefined && this.#ownWords !== this.#text()) this.#changed();
  });
  #makemore: Makemore | undefined;
  #words: readonly string[] = [];
  /** Ends the training or loading under way. Undefined while the element is not on a page. */
  #run: AbortController | undefined;
  /** Its own text, if that is what it learns. */
  #ownWords: string | undefined;
  /** Name of a saved model that the present attributes no longer describe. */
  #outdated: string | null = null;
  /** Calls of `sample`; only the last one shows its words. */
  #calls = 0;

  constructor() {
    super();
    if (!styles) {
      styles = new CSSStyleSheet();
      styles.replaceSync(CSS);
    }
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styles];
    this.#status.setAttribute("role", "status");
    this.#progress.setAttribute("aria-label", "Training");
    this.#button.type = "button";
    const label = document.createElement("slot");
    label.name = "button";
    label.textContent = "New words";
    this.#button.append(label);
    this.#button.addEventListener("click", () => void this.sample());
    root.append(this.#status, this.#progress, this.#list, this.#button);
    this.#show(false);
  }

  /** The instance that trains and samples; undefined until it starts, and while the element is not on a page. */
  get makemore(): Makemore | undefined {
    return this.#makemore;
  }

  /** The words that it shows. */
  get words(): readonly string[] {
    return this.#words;
  }

  /** Shows new words, as the button does. Does nothing before there is a trained or loaded model. */
  async sample(): Promise<void> {
    const { signal } = this.#run ?? {};
    if (!signal || !this.#makemore || this.#button.disabled) return;
    const call = ++this.#calls;
    let words: readonly string[] = [];
    let failure: unknown;
    try {
      words = await this.#makemore.sample(this.#number("count") ?? 10, {
        temperature: this.#number("temperature"),
        prefix: this.getAttribute("prefix") ?? undefined,
        novel: this.hasAttribute("novel"),
        unique: true,
        signal,
      });
    } catch (error) {
      failure = error;
      // Show the words that were found, even if they are too few.
      if (error instanceof MakemoreError) words = error.words ?? [];
    }
    if (signal.aborted || call !== this.#calls) return;
    this.#say("");
    if (words.length > 0) {
      this.#showWords(words);
      this.dispatchEvent(new CustomEvent("words", { detail: words }));
    }
    if (failure) this.#fail(failure);
  }

  /** Starts, or goes on after a move. */
  connectedCallback(): void {
    this.#observer.observe(this, { childList: true, characterData: true, subtree: true });
    if (!this.#run) this.#start();
  }

  /** Ends the worker, unless the element was only moved. */
  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#observer.disconnect();
      this.#end();
    });
  }

  /** Starts over, or samples again. */
  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    // Before the start, nothing has read the attributes.
    if (!this.#run || before === after) return;
    if (SAMPLE_ATTRIBUTES.includes(name)) void this.sample();
    else if (name === "save" || name === "assets") this.#start();
    else this.#changed();
  }

  /** Starts over with another model. */
  #changed(): void {
    this.#outdated = this.getAttribute("save");
    this.#start();
  }

  #end(): void {
    this.#run?.abort();
    this.#makemore?.dispose();
    this.#run = this.#makemore = this.#ownWords = undefined;
  }

  #start(): void {
    this.#end();
    this.#run = new AbortController();
    const { signal } = this.#run;
    // Several attributes that change together start it once.
    queueMicrotask(() => {
      if (!signal.aborted) this.#prepare(signal).catch((error) => signal.aborted || this.#fail(error));
    });
  }

  /** Opens, loads or trains the model, samples, and saves what it trained. */
  async #prepare(signal: AbortSignal): Promise<void> {
    const name = this.getAttribute("save");
    const options = { assetsURL: this.getAttribute("assets") ?? undefined };
    this.#button.disabled = true;
    this.#show(true);
    this.#say("Loading…");
    if (!this.hasAttribute("list") && !this.hasAttribute("model")) {
      // The parser may not have come to the end of its text.
      if (document.readyState === "loading")
        await new Promise((resolve) =>
          document.addEventListener("DOMContentLoaded", resolve, { once: true, signal }),
        );
      this.#ownWords = this.#text();
    }
    const saved =
      name && name !== this.#outdated
        ? // Train if there is none, or if it cannot be read.
          await Makemore.open(name, options).catch(() => undefined)
        : undefined;
    if (signal.aborted) return saved?.dispose();
    this.#makemore = saved ?? new Makemore(options);
    if (!saved) await this.#learn(this.#makemore, signal);
    this.#button.disabled = false;
    this.#show(false);
    await this.sample();
    if (!name || saved) return;
    await this.#makemore.save(name, { signal });
    this.#outdated = null;
  }

  /** Loads the model, or trains it. */
  async #learn(makemore: Makemore, signal: AbortSignal): Promise<void> {
    const [model, list] = [this.getAttribute("model"), this.getAttribute("list")];
    if (model) return makemore.load(await get(model, "INVALID_ONNX", signal), { signal });
    const words = list ? await (await get(list, "INVALID_WORDS", signal)).text() : this.#ownWords;
    if (!words?.trim())
      throw new MakemoreError(
        "INVALID_WORDS",
        list
          ? `${list} has no words.`
          : `<makemore-words> has no words: name a file, list="words.txt", or write them in the element, a word per line.`,
      );
    this.#say("Learning…");
    const steps = this.getAttribute("steps");
    await makemore.train(words, {
      steps: steps === "auto" ? steps : this.#number("steps"),
      // The worker knows the names, and refuses others.
      recipe: (this.getAttribute("recipe") as RecipeName | null) ?? undefined,
      sampleEvery: SAMPLE_EVERY,
      prefetch: true,
      signal,
      onProgress: (progress) => this.#advance(progress),
    });
  }

  #advance(progress: Progress): void {
    const { step, steps, samples } = progress;
    Object.assign(this.#progress, { max: steps, value: step });
    // In steps of 10 %, because a screen reader reads each one out.
    this.#say(`Learning… ${Math.floor((10 * step) / steps) * 10} %`);
    if (samples) this.#showWords(samples);
    const event = new ProgressEvent("progress", { lengthComputable: true, loaded: step, total: steps });
    this.dispatchEvent(Object.assign(event, { detail: progress }));
  }

  /** Shows the progress or the button. While it trains, words change too often for a screen reader. */
  #show(training: boolean): void {
    this.#progress.hidden = !training;
    this.#button.hidden = training;
    this.#list.setAttribute("aria-live", training ? "off" : "polite");
    this.#progress.removeAttribute("value");
  }

  #showWords(words: readonly string[]): void {
    this.#words = words;
    this.#list.replaceChildren(
      ...words.map((word) => {
        const item = part("li", "word");
        item.textContent = word;
        return item;
      }),
    );
  }

  #say(text: string): void {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#progress.hidden = true;
    this.#say(message);
    this.dispatchEvent(new ErrorEvent("error", { error, message }));
  }

  /** Its own words: of a script in it, or else its text, without the text of its slots. */
  #text(): string {
    const script = this.querySelector('script[type="text/plain"]');
    if (script) return script.textContent ?? "";
    return [...this.childNodes].map((node) => (node.nodeType === 3 ? node.textContent : "")).join("");
  }

  #number(name: string): number | undefined {
    const text = this.getAttribute(name);
    return text === null ? undefined : Number(text);
  }
}

/** An element of the shadow tree that a page can style. */
function part<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, name: string): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  element.setAttribute("part", name);
  return element;
}

/** Fetches what an attribute names; rejects with an error of this code. */
async function get(url: string, code: MakemoreErrorCode, signal: AbortSignal): Promise<Blob> {
  let problem: unknown;
  try {
    const response = await fetch(url, { signal });
    // Read it here, because the connection may break in the middle.
    if (response.ok) return await response.blob();
    problem = `the server answered ${response.status}`;
  } catch (error) {
    problem = error;
  }
  throw new MakemoreError(code, `${url} cannot be loaded: ${problem}.`);
}

declare global {
  interface HTMLElementTagNameMap {
    "makemore-words": MakemoreWords;
  }
}

// A page may have two copies of the package.
if (typeof customElements !== "undefined" && !customElements.get("makemore-words"))
  customElements.define("makemore-words", MakemoreWords);
