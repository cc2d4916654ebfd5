/** Copies and downloads words, and copies a link to list and options. */
import { find, messageOf, save } from "./dom";
import { plural } from "./format";
import { formFields, setFields } from "./formFields";
import { fitsLink, hashOf, linkOf } from "./link";
import { type BuiltInList, listOf } from "./lists";
import type { WordsPanel } from "./wordsPanel";

export class SharePanel {
  readonly #words: WordsPanel;
  readonly #status = find("share-status", HTMLElement);
  readonly #note = find("link-note", HTMLElement);
  readonly #withWords = find("share-words", HTMLButtonElement);
  readonly #forms = [
    { form: find("train-form", HTMLFormElement), prefix: "" },
    { form: find("sample-form", HTMLFormElement), prefix: "sample-" },
  ];

  constructor(words: WordsPanel) {
    this.#words = words;
    find("copy", HTMLButtonElement).addEventListener("click", () => {
      const shown = shownWords();
      void this.#copy(shown.join("\n"), `${plural(shown.length, "word")} copied.`);
    });
    find("download-words", HTMLButtonElement).addEventListener("click", () => {
      save(new Blob([`${shownWords().join("\n")}\n`], { type: "text/plain" }), "words.txt");
      this.#status.textContent = "words.txt is saved.";
    });
    find("share", HTMLButtonElement).addEventListener("click", () => void this.#share(false));
    this.#withWords.addEventListener("click", () => void this.#share(true));
    words.watch(() => {
      this.#withWords.hidden = words.chosen !== undefined;
    });
  }

  /** Applies the page's address; an invalid one changes nothing. Returns the list to begin with. */
  read(): { list?: BuiltInList; words?: string } {
    const link = linkOf(location.hash);
    const problem = "problem" in link ? link.problem : this.#problemOf(link.list, link.fields);
    this.#note.hidden = problem === undefined;
    this.#note.textContent =
      problem === undefined ? "" : `The link was not understood (${problem}), so it changes nothing here.`;
    if (problem !== undefined || "problem" in link) return {};
    for (const { form, prefix } of this.#forms) setFields(form, prefix, link.fields);
    const list = listOf(link.list);
    return { ...(list ? { list } : {}), ...(link.words === undefined ? {} : { words: link.words }) };
  }

  #problemOf(list: string | undefined, fields: Readonly<Record<string, string>>): string | undefined {
    if (list !== undefined && !listOf(list)) return `there is no list “${list.slice(0, 40)}”`;
    const known = new Map(this.#forms.flatMap(({ form, prefix }) => [...formFields(form, prefix)]));
    for (const [name, value] of Object.entries(fields))
      if (!known.get(name)?.accepts(value)) return `“${name}” cannot be “${value}”`.slice(0, 100);
    return undefined;
  }

  async #share(withWords: boolean): Promise<void> {
    const { chosen } = this.#words;
    const words = this.#words.text.trim();
    if (withWords && !fitsLink(words)) {
      this.#status.textContent = "Your list is too long for a link; send the file instead.";
      return;
    }
    const fields = Object.fromEntries(
      this.#forms.flatMap(({ form, prefix }) =>
        [...formFields(form, prefix)].flatMap(([name, { value, isChanged }]) =>
          isChanged ? [[name, value]] : [],
        ),
      ),
    );
    const hash = hashOf({ fields, ...(chosen ? { list: chosen.id } : withWords ? { words } : {}) });
    const { origin, pathname, search } = location;
    history.replaceState(null, "", `${pathname}${search}${hash}`);
    const without = chosen || withWords ? "" : " Your own words are not in it.";
    await this.#copy(`${origin}${pathname}${search}${hash}`, `Link copied.${without}`);
  }

  async #copy(text: string, done: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.#status.textContent = done;
    } catch (error) {
      this.#status.textContent = `The browser does not let this page copy: ${messageOf(error)}`;
    }
  }
}

/** The words on the stage, without their marks. */
function shownWords(): string[] {
  return [...document.querySelectorAll(".show > :not([hidden]) > li")].map(
    (item) => item.firstChild?.textContent ?? "",
  );
}
