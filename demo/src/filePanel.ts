/** The model as a file: download by a button, open by a button or by dropping it on the page. */
import type { ExportOptions } from "makemore-web";
import type { AppState } from "./appState";
import { find, messageOf, offer, reveal, save, withoutCall } from "./dom";
import { count } from "./format";
import { contentOf } from "./textFile";
import { foldsOf } from "./tree";
import type { WordsPanel } from "./wordsPanel";

const forms: readonly NonNullable<ExportOptions["form"]>[] = [
  "window",
  "convolution",
  "sequence",
  "incremental",
];

export class FilePanel {
  readonly #app: AppState;
  readonly #words: WordsPanel;
  readonly #form = find("form", HTMLSelectElement);
  readonly #download = find("download", HTMLButtonElement);
  readonly #status = find("file-status", HTMLElement);
  readonly #error = find("file-error", HTMLElement);

  constructor(app: AppState, words: WordsPanel) {
    this.#app = app;
    this.#words = words;
    const file = find("file", HTMLInputElement);
    this.#download.addEventListener("click", () => void this.#save());
    find("open", HTMLButtonElement).addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      const [chosen] = file.files ?? [];
      if (chosen) await this.#open(chosen);
      file.value = "";
    });
    app.watch(() => {
      offer(this.#download, app.model !== undefined);
      this.#chooseForm();
    });
    this.#takeDrops();
  }

  /** Chooses a form that the model has. Models that read words have no window and no convolution. */
  #chooseForm(): void {
    const { model } = this.#app;
    if (!model) return;
    const readsWords = foldsOf(model.layers).length === 0;
    const { value } = this.#form;
    if (readsWords && (value === "window" || value === "convolution")) this.#form.value = "sequence";
    if (!readsWords && value === "sequence") this.#form.value = "window";
  }

  async #save(): Promise<void> {
    this.#error.textContent = "";
    const form = forms.find((name) => name === this.#form.value) ?? "window";
    try {
      const bytes = await this.#app.makemore.exportONNX({ form });
      const step = this.#app.model?.step ?? 0;
      const name = `makemore-${form}-${step}.onnx`;
      save(new Blob([new Uint8Array(bytes)]), name);
      this.#status.textContent = `${name}: ${count(bytes.byteLength / 1024)} KB.`;
    } catch (error) {
      this.#error.textContent = withoutCall(messageOf(error));
    }
  }

  async #open(file: File): Promise<void> {
    this.#error.textContent = "";
    try {
      const { kind } = await contentOf(file);
      if (kind === "text")
        throw new Error("this is text, not a model; open it above, under “See or change the list”.");
      if (kind === "other" && !isNamedModel(file))
        throw new Error("this is neither text nor a model; save a list of words as a text file.");
      await this.#app.load(file, await this.#words.current());
      const model = this.#app.model;
      this.#status.textContent = `${file.name} is open: ${count(model?.parameters ?? 0)} parameters, trained for ${count(model?.step ?? 0)} steps.`;
    } catch (error) {
      this.#error.textContent = `${file.name}: ${withoutCall(messageOf(error))}`;
    }
  }

  /** Opens a dropped file by its kind, a list or a model, and shows the result. */
  async #openDropped(file: File): Promise<void> {
    const content = await contentOf(file).catch(() => undefined);
    if (content?.kind === "text" && !isNamedModel(file)) {
      await this.#words.open(file, content);
      this.#words.reveal();
    } else {
      await this.#open(file);
      reveal(this.#status);
      reveal(this.#error);
    }
  }

  #takeDrops(): void {
    const overlay = find("drop", HTMLElement);
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    addEventListener("dragover", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      overlay.hidden = false;
    });
    // The pointer left the window if it went to no element.
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) overlay.hidden = true;
    });
    addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      overlay.hidden = true;
      const [file] = event.dataTransfer?.files ?? [];
      if (file) void this.#openDropped(file);
    });
  }
}

function isNamedModel(file: File): boolean {
  return file.name.toLowerCase().endsWith(".onnx");
}
