import { expect, it, vi } from "vitest";
import { AppState } from "../../../demo/src/appState";
import { find } from "../../../demo/src/dom";
import { TreePanel } from "../../../demo/src/treePanel";
import { NO_WORDS } from "../../../demo/src/wordList";
import { openPage } from "./page";

it("says that a model which joins no characters has no tree", async () => {
  openPage();
  const app = new AppState();
  new TreePanel(app, find("typed", HTMLInputElement));
  expect(find("tree", HTMLElement).querySelector("svg")).not.toBeNull();
  vi.spyOn(app.makemore, "load").mockResolvedValue();
  vi.spyOn(app.makemore, "model", "get").mockReturnValue({
    contextLength: 16,
    vocabulary: [],
    parameters: 729,
    step: 0,
    steps: 1,
    layers: [
      { name: "embedding", type: "Embedding", inputShape: [16], outputShape: [16, 27], parameters: 729 },
    ],
  });
  await app.load(new Blob(), NO_WORDS);
  expect(find("tree", HTMLElement).querySelector("svg")).toBeNull();
  expect(find("tree-text", HTMLElement).textContent).toMatch(/^This model has no tree/);
});
