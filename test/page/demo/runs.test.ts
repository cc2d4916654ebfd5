import { beforeEach, expect, it } from "vitest";
import { LossCurve } from "../../../demo/src/curve";
import { find } from "../../../demo/src/dom";
import { colorOf, RUN_COLORS, Runs } from "../../../demo/src/runs";
import { openPage } from "./page";

let runs: Runs;

beforeEach(() => {
  openPage();
  runs = new Runs();
});

const add = (model: string) =>
  runs.add({ model, recipe: "Default", words: 30_294, parameters: 22_397, curve: new LossCurve(100) });
const rows = () =>
  [...find("runs", HTMLElement).children].map((row) => [...row.children].map((cell) => cell.textContent));

it("keeps every run of the visit in the table, the newest first, with its known values", () => {
  expect(find("no-runs", HTMLElement).hidden).toBe(false);
  const first = add("MLP");
  Object.assign(first, {
    steps: 1500,
    seconds: 3.21,
    train: 2.1,
    validation: 2.15,
    samples: ["emma", "ava"],
  });
  add("WaveNet");
  expect(rows()).toEqual([
    ["2 WaveNet", "–", "–", "22,397", "0", "–", "–", "Default", "30,294 words"],
    ["1 MLP", "2.150", "2.100", "22,397", "1,500", "3.2", "emmaava", "Default", "30,294 words"],
  ]);
  expect(find("no-runs", HTMLElement).hidden).toBe(true);
});

it("gives neighbouring runs different colours of the style sheet", () => {
  const colors = Array.from({ length: RUN_COLORS + 1 }, (_, i) => colorOf({ number: i + 1 }));
  expect(new Set(colors.slice(0, RUN_COLORS)).size).toBe(RUN_COLORS);
  expect(colors.at(-1)).toBe(1);
});
