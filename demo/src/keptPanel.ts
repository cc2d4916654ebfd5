/** Keeps the model of a visit, and offers it on the next one. */
import { Makemore } from "makemore-web";
import type { AppState } from "./appState";
import { find, make, messageOf, offer } from "./dom";
import { dayOf, KEPT, type Note, readNote, removeNote, writeNote } from "./kept";
import { listOf } from "./lists";
import type { WordsPanel } from "./wordsPanel";

export class KeptPanel {
  readonly #app: AppState;
  readonly #words: WordsPanel;
  readonly #place = find("kept", HTMLElement);
  readonly #open = find("kept-open", HTMLButtonElement);

  constructor(app: AppState, words: WordsPanel) {
    this.#app = app;
    this.#words = words;
    const note = readNote();
    if (note) this.#offer(note);
    let label: Pick<Note, "label" | "list" | "words">;
    app.watch((change) => {
      if (change === "asked") label = this.#list();
      // What an earlier visit kept is replaced.
      if (change === "begun") this.#place.hidden = true;
      if (change === "learnt") void this.#keep(label);
    });
    this.#open.addEventListener("click", () => void this.#openKept());
    find("kept-forget", HTMLButtonElement).addEventListener("click", () => {
      removeNote();
      this.#place.hidden = true;
      // Without the note, a model that could not be removed is not offered.
      Makemore.remove(KEPT).catch(() => {});
    });
  }

  #list(): Pick<Note, "label" | "list" | "words"> {
    const { chosen } = this.#words;
    const label = this.#words.labelOf(chosen);
    return chosen ? { label, list: chosen.id } : { label, words: this.#words.text };
  }

  /** Ignore a browser that stores nothing: the next visit is then offered nothing. */
  async #keep(what: Pick<Note, "label" | "list" | "words">): Promise<void> {
    try {
      await this.#app.makemore.save(KEPT);
      writeNote({ ...what, time: Date.now() });
    } catch {
      removeNote();
    }
  }

  #offer({ label, time }: Note): void {
    find("kept-text", HTMLElement).replaceChildren(
      "Your model of ",
      make("b", "", label),
      ` from ${dayOf(time, Date.now())} is kept here.`,
    );
    this.#place.hidden = false;
  }

  /** Opens the model, on its list. */
  async #openKept(): Promise<void> {
    const note = readNote();
    if (!note || this.#app.training) return;
    offer(this.#open, false);
    try {
      const list = listOf(note.list);
      if (list) await this.#words.show(list);
      else if (note.words !== undefined) this.#words.take(note.words, "From your earlier visit.");
      await this.#app.openSaved(KEPT, await this.#words.current());
      this.#place.hidden = true;
    } catch (error) {
      find("kept-text", HTMLElement).textContent = `Your model cannot be opened: ${messageOf(error)}`;
    }
    offer(this.#open, true);
  }
}
