import { MakemoreError, type SampleOptions } from "makemore-web";
import { beforeEach, expect, it, vi } from "vitest";
import { AppState } from "../../../demo/src/appState";
import { find } from "../../../demo/src/dom";
import { SamplePanel } from "../../../demo/src/samplePanel";
import { NO_WORDS } from "../../../demo/src/wordList";
import { WordsPanel } from "../../../demo/src/wordsPanel";
import { openPage } from "./page";

let app: AppState;
/** Answers the model's `sample`. */
let answer: (options?: SampleOptions) => Promise<string[]>;

beforeEach(() => {
  openPage();
  app = new AppState();
  // A model without its worker.
  vi.spyOn(app.makemore, "load").mockResolvedValue();
  vi.spyOn(app.makemore, "model", "get").mockReturnValue({ step: 1, steps: 1 } as typeof app.makemore.model);
  vi.spyOn(app.makemore, "sample").mockImplementation((_, options) => answer(options));
  new SamplePanel(app, new WordsPanel());
});

const openModel = () => app.load(new Blob(), NO_WORDS);
const shown = () => [...find("samples", HTMLElement).children].map((item) => item.textContent);
const status = () => find("sample-status", HTMLElement).textContent;
const error = () => find("sample-error", HTMLElement).textContent;
const refuse = () => Promise.reject(new MakemoreError("SAMPLING_FAILED", "sample: found 0 of 20 words."));

it("clears the words of another model after a failed sample, and keeps the model's own", async () => {
  answer = async () => ["anna", "bert"];
  await openModel();
  await vi.waitFor(() => expect(shown()).toEqual(["anna", "bert"]));

  answer = refuse;
  find("sample", HTMLButtonElement).click();
  await vi.waitFor(() => expect(error()).toContain("Found 0 of 20"));
  expect(shown()).toEqual(["anna", "bert"]);
  expect(status()).toContain("2 words");

  find("sample-error", HTMLElement).textContent = "";
  await openModel();
  await vi.waitFor(() => expect(error()).toContain("Found 0 of 20"));
  expect(shown()).toEqual([]);
  expect(status()).toBe("");
});

it("keeps the words of an offered model if its first sample fails", async () => {
  vi.stubGlobal("fetch", async () => new Response("a model"));
  app.offer({ url: "model.onnx", words: ["anna", "bert"], bytes: 7 });
  expect(shown()).toEqual(["anna", "bert"]);
  answer = refuse;
  find("sample", HTMLButtonElement).click();
  await vi.waitFor(() => expect(error()).toBe("Found 0 of 20 words."));
  expect(shown()).toEqual(["anna", "bert"]);
  await vi.waitFor(() => expect(status()).toBe(""));
  vi.unstubAllGlobals();
});
