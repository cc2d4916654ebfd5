/** `<makemore-words>` with a fake worker: which calls it makes, what it shows, and whether it ends its workers. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "../../src/element";
import type { MakemoreWords } from "../../src/element";
import { MakemoreError } from "../../src/index.js";
import type { WorkerAPI } from "../../src/protocol";
import { receiveWords } from "../../worker/data/receive";
import { FakeWorker } from "./fakeWorker";
import { model, progress, result } from "./training";

/** The calls that the workers received, in order. */
let asked: unknown[][];
/** A training waits for this promise before it ends; undefined: it ends at once. */
let gate: Promise<void> | undefined;
let sampled: number;

const sample: WorkerAPI["sample"] = async (_id, options, count, _novel, onPart) => {
  asked.push(["sample", count, options]);
  sampled++;
  await onPart(Array.from({ length: count }, (_, i) => `word${sampled}.${i}`));
  return { value: undefined };
};

beforeEach(() => {
  asked = [];
  gate = undefined;
  sampled = 0;
  FakeWorker.instances = [];
  FakeWorker.api = {
    train: async (_id, options, words, onEvent) => {
      const { text } = await receiveWords(words, new AbortController().signal);
      asked.push(["train", text, options]);
      onEvent({ model, measurements: new Map() });
      onEvent({ progress: { ...progress, step: 1, steps: 3, samples: ["ab", "cd"] } });
      await gate;
      return { value: result };
    },
    sample,
    load: async () => ({ value: model }),
    save: async (_id, _options, name) => {
      asked.push(["save", name]);
      return { value: undefined };
    },
    open: async (_id, name) => {
      asked.push(["open", name]);
      return { error: { code: "NOT_SAVED", message: "none" } };
    },
  };
  vi.stubGlobal("Worker", FakeWorker);
});
afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

function words(attributes: Record<string, string> = {}, text = "emma\nolivia\n"): MakemoreWords {
  const element = document.createElement("makemore-words");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

function add(element: MakemoreWords): MakemoreWords {
  document.body.append(element);
  return element;
}

const within = (element: MakemoreWords, name: string) => {
  const found = element.shadowRoot?.querySelector<HTMLElement>(`[part="${name}"]`);
  if (!found) throw new Error(`no part ${name}`);
  return found;
};
const shown = (element: MakemoreWords) =>
  [...within(element, "list").children].map((item) => item.textContent);
const status = (element: MakemoreWords) => within(element, "status").textContent;
const button = (element: MakemoreWords) => within(element, "button") as HTMLButtonElement;
const kinds = () => asked.map(([kind]) => kind);
const open = () => FakeWorker.instances.filter((worker) => !worker.terminated).length;
/** Waits long enough for messages to arrive. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 30));

test("trains on its text, shows progress and words, and gives new words on a click", async () => {
  let finish = () => {};
  gate = new Promise((resolve) => {
    finish = resolve;
  });
  const element = words({ count: "3", temperature: "0.7", prefix: "wo", steps: "50", recipe: "best" });
  const events: Event[] = [];
  for (const name of ["progress", "words", "error"])
    element.addEventListener(name, (event) => events.push(event));
  add(element);
  await vi.waitFor(() => expect(status(element)).toBe("Learning… 30 %"));
  // A screen reader says the words only when they change no more.
  expect(within(element, "list").getAttribute("aria-live")).toBe("off");
  expect(within(element, "status").getAttribute("role")).toBe("status");
  expect(shown(element)).toEqual(["ab", "cd"]);
  expect(button(element).hidden).toBe(true);
  expect(within(element, "progress")).toMatchObject({ hidden: false, value: 1, max: 3 });
  expect(element.makemore?.model).toMatchObject({ parameters: model.parameters });

  finish();
  await vi.waitFor(() => expect(element.words).toEqual(["word1.0", "word1.1", "word1.2"]));
  expect(shown(element)).toEqual(element.words);
  expect(status(element)).toBe("");
  expect(within(element, "list").getAttribute("aria-live")).toBe("polite");
  expect(button(element)).toMatchObject({ hidden: false, disabled: false });
  expect(button(element).textContent).toBe("New words");
  expect(asked).toEqual([
    [
      "train",
      "emma\nolivia\n",
      { steps: 50, recipe: "best", sampleEvery: expect.any(Number), prefetch: true },
    ],
    ["sample", 3, { temperature: 0.7, prefix: "wo", novel: false, unique: true }],
  ]);
  expect(events.map(({ type }) => type)).toEqual(["progress", "words"]);
  expect(events[0]).toMatchObject({ loaded: 1, total: 3, detail: { loss: progress.loss } });
  expect(events[1]).toMatchObject({ detail: element.words });

  button(element).click();
  await vi.waitFor(() => expect(element.words[0]).toBe("word2.0"));
  expect(open()).toBe(1);
});

test("takes its words from a script before its text, and leaves out the button's label", async () => {
  const [example = ""] =
    readFileSync("docs/element.md", "utf8").match(/<makemore-words count="5".*?<\/makemore-words>/s) ?? [];
  const script = words({}, "");
  script.innerHTML = example.replace(/<\/?makemore-words.*?>/g, "");
  const labelled = words({}, "");
  labelled.innerHTML = `ada<b slot="button">Encore</b>`;
  add(script);
  add(labelled);
  await vi.waitFor(() => expect(kinds().filter((kind) => kind === "train")).toHaveLength(2));
  expect(
    asked.filter(([kind]) => kind === "train").map(([, text]) => String(text).trim().split(/\s+/)),
  ).toEqual([["Galadriel", "Elrond", "Legolas"], ["ada"]]);
});

test("fetches its list; with an .onnx file it does not train", async () => {
  const fetched = vi.fn(async (url: string, _init: RequestInit) => new Response(`of ${url}`));
  vi.stubGlobal("fetch", fetched);
  const list = add(words({ list: "towns.txt" }, ""));
  await vi.waitFor(() => expect(list.words).toHaveLength(10));
  expect(asked[0]).toEqual(["train", "of towns.txt", expect.anything()]);
  asked = [];
  const loaded = add(words({ model: "towns.onnx", list: "towns.txt", novel: "" }, ""));
  await vi.waitFor(() => expect(loaded.words).toHaveLength(10));
  expect(asked).toEqual([["sample", 10, { novel: true, unique: true }]]);
  expect(fetched.mock.calls.map(([url]) => url)).toEqual(["towns.txt", "towns.onnx"]);
});

test.each([
  ["no words", {}, /^<makemore-words> has no words: .*list="words\.txt"/],
  ["a missing list", { list: "towns.txt" }, /^towns\.txt cannot be loaded: the server answered 404\.$/],
  ["a missing model", { model: "a.onnx" }, /^a\.onnx cannot be loaded: the server answered 404\.$/],
  ["a list that breaks off", { list: "broken.txt" }, /^broken\.txt cannot be loaded: .*connection lost/],
])("shows a clear message for an error: %s", async (_, attributes, message) => {
  vi.stubGlobal("fetch", async (url: string) =>
    url === "broken.txt"
      ? new Response(new ReadableStream({ pull: (body) => body.error(new TypeError("connection lost")) }))
      : new Response("", { status: 404 }),
  );
  const element = words(attributes, "");
  const failed = new Promise<Event>((resolve) => element.addEventListener("error", resolve));
  add(element);
  expect(await failed).toMatchObject({
    error: expect.any(MakemoreError),
    message: expect.stringMatching(message),
  });
  expect(status(element)).toMatch(message);
  expect(within(element, "progress").hidden).toBe(true);
  // Once the attributes are corrected, it works.
  element.removeAttribute("list");
  element.removeAttribute("model");
  element.textContent = "emma";
  await vi.waitFor(() => expect(element.words).toHaveLength(10));
  expect(status(element)).toBe("");
});

test("shows the words that sampling found before it failed, and why there are no more", async () => {
  FakeWorker.api.sample = async (_id, _options, _count, _novel, onPart) => {
    await onPart(["only"]);
    return { error: { code: "SAMPLING_FAILED", message: "sample: there are no more." } };
  };
  const element = add(words());
  await vi.waitFor(() => expect(status(element)).toBe("sample: there are no more."));
  expect(shown(element)).toEqual(["only"]);
});

test("a move does not restart it; removal ends it, and insertion starts it again", async () => {
  gate = new Promise(() => {});
  const element = add(words());
  await vi.waitFor(() => expect(status(element)).toMatch(/30 %/));
  const other = document.createElement("section");
  document.body.append(other);
  other.append(element);
  await settle();
  expect(kinds()).toEqual(["train"]);
  expect(open()).toBe(1);

  element.remove();
  await settle();
  expect(open()).toBe(0);
  expect(element.makemore).toBeUndefined();

  gate = undefined;
  other.append(element);
  await vi.waitFor(() => expect(element.words).toHaveLength(10));
  expect(FakeWorker.instances).toHaveLength(2);
});

test("changed attributes sample or train again, only once for several changes", async () => {
  const element = add(words());
  await vi.waitFor(() => expect(element.words).toHaveLength(10));
  asked = [];
  element.setAttribute("count", "2");
  await vi.waitFor(() => expect(element.words).toHaveLength(2));
  expect(kinds()).toEqual(["sample"]);

  asked = [];
  element.setAttribute("steps", "auto");
  element.setAttribute("recipe", "best");
  element.textContent = "ada\nalan";
  await vi.waitFor(() => expect(kinds()).toContain("sample"));
  await settle();
  expect(kinds()).toEqual(["train", "sample"]);
  expect(asked[0]).toEqual([
    "train",
    "ada\nalan",
    expect.objectContaining({ steps: "auto", recipe: "best" }),
  ]);
  expect(open()).toBe(1);
});

test("each element on a page has its own worker", async () => {
  const [one, two] = [add(words()), add(words({ count: "4" }))];
  await vi.waitFor(() => expect([one.words.length, two.words.length]).toEqual([10, 4]));
  expect(one.makemore).not.toBe(two.makemore);
  one.remove();
  await settle();
  expect(open()).toBe(1);
});

test("save: trains and saves at the first visit, samples from the saved model at the next", async () => {
  const first = add(words({ save: "towns" }));
  await vi.waitFor(() => expect(kinds()).toEqual(["open", "train", "sample", "save"]));
  first.remove();
  await settle();

  asked = [];
  FakeWorker.api.open = async () => ({ value: model });
  const second = add(words({ save: "towns" }));
  await vi.waitFor(() => expect(second.words).toHaveLength(10));
  await settle();
  expect(kinds()).toEqual(["sample"]);

  // The saved model was not trained on these words.
  second.textContent = "ada\nalan";
  await vi.waitFor(() => expect(kinds()).toEqual(["sample", "train", "sample", "save"]));
  expect(open()).toBe(1);
});

test("save: if the browser stores nothing, words still appear, and an error event says why", async () => {
  FakeWorker.api.open = async () => ({ error: { code: "STORAGE_FAILED", message: "nothing is stored" } });
  FakeWorker.api.save = async () => ({ error: { code: "STORAGE_FAILED", message: "nothing is stored" } });
  const element = words({ save: "towns" });
  const failed = new Promise<Event>((resolve) => element.addEventListener("error", resolve));
  add(element);
  expect(await failed).toMatchObject({ message: "nothing is stored" });
  expect(shown(element)).toHaveLength(10);
});
