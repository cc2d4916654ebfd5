import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { find } from "../../../demo/src/dom";
import { LISTS } from "../../../demo/src/lists";
import { WordsPanel } from "../../../demo/src/wordsPanel";
import { openPage } from "./page";

/** A list so long that the field shows only a part of it. */
const long = Array.from({ length: 3000 }, (_, i) => `word${i.toString(36)}`).join("\n");

let area: HTMLTextAreaElement;
let panel: WordsPanel;
/** Answers the panel's request to the server. */
let answer: (response: Response) => void;

beforeEach(() => {
  openPage();
  vi.stubGlobal(
    "fetch",
    () =>
      new Promise<Response>((resolve) => {
        answer = resolve;
      }),
  );
  area = find("words", HTMLTextAreaElement);
  panel = new WordsPanel();
});
afterEach(() => vi.unstubAllGlobals());

const press = (id: string) => find(id, HTMLButtonElement).click();
const words = async () => {
  const { given } = await panel.current();
  return typeof given === "string" ? given : [...given].join("\n");
};
const question = () => find("words-question", HTMLElement);
const answers = () => [...question().querySelectorAll("button")].map((button) => button.textContent);
const source = () => find("words-source", HTMLElement).textContent;

async function choose(start: string): Promise<void> {
  const button = [...question().querySelectorAll("button")].find(({ textContent }) =>
    textContent.startsWith(start),
  );
  button?.click();
  await vi.waitFor(() => expect(question().hidden).toBe(true));
}

function type(text: string): void {
  area.value = text;
  area.dispatchEvent(new Event("input"));
}

function paste(text: string): void {
  const clipboardData = new DataTransfer();
  if (text) clipboardData.setData("text", text);
  area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
}

it("shows the beginning of a long list, uses all of it, and lets the visitor edit it part by part", async () => {
  await panel.open(new File([long], "long.txt"));
  expect(area.value.split("\n").length).toBe(201);
  expect(area.readOnly).toBe(true);
  expect(await words()).toBe(long);
  press("words-edit");
  expect(area.readOnly).toBe(false);
  press("words-later");
  const [first] = area.value.split("\n");
  type(area.value.replace(`${first}`, "edited"));
  press("words-earlier");
  expect(area.value).toBe(long.slice(0, area.value.length));
  press("words-later");
  expect(area.value.startsWith("edited\n")).toBe(true);
  expect(await words()).toBe(long.replace(`\n${first}\n`, "\nedited\n"));
});

it.each([
  ["emma,olivia,ava", "What stands between the commas", "emma\nolivia\nava\n"],
  ["Emma,F,20355\nOlivia,F,19553\n", "Column 1", "Emma\nOlivia\n"],
  ["name,sex,count\r\nEmma,F,20355\r\nOlivia,F,19553", "Column “name”", "Emma\nOlivia\n"],
  ['town;people\n"Aix; en\n Provence";145000\nPau;77000\n', "Column “town”", "Aix; en Provence\nPau\n"],
  ["1\tAnna\n2\tBert\n", "Column 2", "Anna\nBert\n"],
  ['["anna", "bert"]', "Its strings", "anna\nbert"],
  ["anna bert cleo dora emil", "What stands between the spaces", "anna\nbert\ncleo\ndora\nemil\n"],
])("asks what %j is meant to be", async (text, meant, read) => {
  await panel.open(new File([text], "mine.csv"));
  await words();
  expect(panel.asks()).toBe(true);
  expect(document.activeElement?.textContent).toBe(answers()[0]);
  await choose(meant);
  expect((await words()).trim()).toBe(read.trim());
  expect(source()).toMatch(/^From mine\.csv, /);
  expect(panel.asks()).toBe(false);
  press("words-undo");
  await words();
  expect(panel.asks()).toBe(true);
  await choose("Each whole line");
  expect(await words()).toBe(
    text
      .trim()
      .split(/\r?\n/)
      .map((line) => line.trim())
      .join("\n"),
  );
  expect(panel.asks()).toBe(false);
});

it.each([
  "anna\nbert\n",
  "New York\nRio de Janeiro\n",
  "Washington, D.C.\nRome\nParis\nOslo\nBern\n",
  "[x]\ny",
])("asks nothing about %j", async (text) => {
  await panel.open(new File([text], "mine.txt"));
  await words();
  expect(panel.asks()).toBe(false);
});

it("asks the same about typed text", async () => {
  type("emma, olivia, ava");
  await words();
  expect(panel.asks()).toBe(true);
  type("emma\nolivia");
  await words();
  expect(panel.asks()).toBe(false);
});

/** Encodes a text in UTF-16, low byte first or last. */
const utf16 = (text: string, littleEndian: boolean) =>
  new Uint8Array(
    [...text].flatMap((character) => {
      const unit = character.charCodeAt(0);
      return littleEndian ? [unit & 255, unit >> 8] : [unit >> 8, unit & 255];
    }),
  );

it.each([
  ["UTF-16LE", utf16("José\nZoë\n", true), "José\nZoë\n"],
  ["UTF-16BE", utf16("José\nZoë\n", false), "José\nZoë\n"],
  ["UTF-16LE", utf16("שלום\r\nרות\r\n", true), "שלום\r\nרות\r\n"],
  ["UTF-16LE", utf16("\ufeffJosé\nZoë\n", true), "José\nZoë\n"],
  ["Windows-1252", Uint8Array.from("Jos\xe9\nZo\xeb\nAnna\n", (c) => c.charCodeAt(0)), "José\nZoë\nAnna\n"],
])("reads %s without a mark, and says so", async (encoding, bytes, text) => {
  await panel.open(new File([bytes], "old.txt"));
  expect(await words()).toBe(text);
  expect(source()).toContain(`read as ${encoding}`);
});

it("finds the only encoding in which the bytes are words", async () => {
  await panel.open(
    new File(
      [new Uint8Array([0xa3, 0x75, 0x6b, 0x61, 0x73, 0x7a, 0x0a, 0x8c, 0x77, 0x69, 0x65, 0x74, 0x61])],
      "old.txt",
    ),
  );
  expect(await words()).toBe("Łukasz\nŚwieta");
  expect(source()).toContain("read as Windows-1250");
});

it.each([["windows-1251", [0xc0, 0xed, 0xed, 0xe0, 0x0a, 0xce, 0xeb, 0xe5, 0xe3], "Анна\nОлег"]])(
  "asks for the encoding if the bytes are words in several: %s",
  async (encoding, bytes, text) => {
    await panel.open(new File([new Uint8Array(bytes)], "old.txt"));
    expect(panel.asks()).toBe(true);
    await choose(encoding.replace("w", "W"));
    await vi.waitFor(async () => expect(await words()).toBe(text));
  },
);

it("leaves out words that were damaged before, and says so", async () => {
  await panel.open(new File(["José\nJos\ufffd\nAnna\0\nZoë\n"], "hurt.txt"));
  expect(find("words-error", HTMLElement).textContent + (await words())).not.toMatch(/[\ufffd\0]/);
});

it("refuses a model, and any other file that is not text", async () => {
  type("mine");
  const png = new Uint8Array([
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52,
  ]);
  await panel.open(new File([png], "names.txt"));
  expect(find("words-error", HTMLElement).textContent).toMatch(/^names\.txt is not text/);
  const model = new Uint8Array([0x08, 0x0a, 0x12, 0x0c, ...new TextEncoder().encode("makemore-web"), 0]);
  await panel.open(new File([model], "names.txt"));
  expect(find("words-error", HTMLElement).textContent).toMatch(/^names\.txt is a model/);
  expect(await words()).toBe("mine");
});

it("does not replace newer words by names that arrive late", async () => {
  const names = panel.show(LISTS[0]);
  type("mine");
  answer(new Response("emma"));
  await names;
  expect(await words()).toBe("mine");

  const again = panel.show(LISTS[0]);
  await panel.open(new File(["opened"], "opened.txt"));
  answer(new Response("emma"));
  await again;
  expect(await words()).toBe("opened");
});

it("says that the names did not arrive, and counts nothing", async () => {
  const names = panel.show(LISTS[0]);
  answer(new Response("", { status: 404, statusText: "Not Found" }));
  await names;
  expect(find("words-error", HTMLElement).textContent).toMatch(/did not arrive.*404 Not Found/);
  expect(find("words-count", HTMLElement).textContent).toBe("No words yet.");
});

it("undoes and redoes the replacement of words", async () => {
  const undo = find("words-undo", HTMLButtonElement);
  expect(undo.hidden).toBe(true);
  type("mine");
  await panel.open(new File([long], "long.txt"));
  expect(undo.hidden).toBe(false);
  press("words-undo");
  expect(await words()).toBe("mine");
  press("words-undo");
  expect(await words()).toBe(long);
  press("words-own");
  expect(await words()).toBe("");
  press("words-undo");
  expect(await words()).toBe(long);
  expect(undo.hidden).toBe(true);
});

it("replaces a long list by what is pasted on its beginning, but not by an image", async () => {
  await panel.open(new File([long], "long.txt"));
  paste("");
  expect(await words()).toBe(long);
  paste("ava\nnoah");
  expect(await words()).toBe("ava\nnoah");
});

it("gives a single word as a list, which the library would take for a mistake as a text", async () => {
  panel.take("emma", "");
  const { given } = await panel.current();
  expect(given).not.toBeTypeOf("string");
  expect(await words()).toBe("emma");
});

it("says that there are no words yet", async () => {
  panel.take("", "");
  await panel.current();
  expect(find("words-count", HTMLElement).textContent).toBe("No words yet.");
});
