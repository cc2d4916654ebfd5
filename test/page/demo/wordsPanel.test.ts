import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { find } from "../../../demo/src/dom";
import { WordsPanel } from "../../../demo/src/wordsPanel";
import { openPage } from "./page";

/** Long enough to be held aside. */
const long = Array.from({ length: 3000 }, (_, i) => `word${i.toString(36)}`).join("\n");

let area: HTMLTextAreaElement;
let panel: WordsPanel;
/** Answers what the panel asked the server for. */
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
const words = async () => (await panel.current()).text;

function type(text: string): void {
  area.value = text;
  area.dispatchEvent(new Event("input"));
}

function paste(text: string): void {
  const clipboardData = new DataTransfer();
  if (text) clipboardData.setData("text", text);
  area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
}

it("shows the beginning of a long list, and knows all of it", async () => {
  await panel.open(new File([long], "long.txt"));
  expect(area.value.split("\n").length).toBe(201);
  expect(area.readOnly).toBe(true);
  expect(await words()).toBe(long);
  press("words-all");
  expect(area.value).toBe(long);
  expect(area.readOnly).toBe(false);
});

it("lets names that arrive late take the place of nothing newer", async () => {
  const names = panel.showNames();
  type("mine");
  answer(new Response("emma"));
  await names;
  expect(await words()).toBe("mine");

  const again = panel.showNames();
  await panel.open(new File(["opened"], "opened.txt"));
  answer(new Response("emma"));
  await again;
  expect(await words()).toBe("opened");
});

it("says that the names did not arrive, and counts nothing", async () => {
  const names = panel.showNames();
  answer(new Response("", { status: 404, statusText: "Not Found" }));
  await names;
  expect(find("words-error", HTMLElement).textContent).toMatch(/did not arrive.*404 Not Found/);
  expect(find("words-count", HTMLElement).textContent).toBe("No words yet.");
});

it("gives replaced words back, and takes them away again", async () => {
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
