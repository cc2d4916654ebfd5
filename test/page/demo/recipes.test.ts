import { beforeEach, describe, expect, it } from "vitest";
import { field, find } from "../../../demo/src/dom";
import { fillPreset, optionsOf, resumedSteps } from "../../../demo/src/recipes";
import { trainSettings } from "../../../worker/options";
import { openPage } from "./page";

let form: HTMLFormElement;

beforeEach(() => {
  openPage();
  form = find("train-form", HTMLFormElement);
});

function choose(name: string, value: string): void {
  for (const radio of form.querySelectorAll<HTMLInputElement>(`[name=${name}]`))
    radio.checked = radio.value === value;
  fillPreset(form);
}

function fill(name: string, value: string): void {
  field(form, name).value = value;
}

describe("optionsOf", () => {
  it("is the library's own default where nothing was changed", () => {
    fillPreset(form);
    expect(trainSettings(optionsOf(form))).toEqual(trainSettings({ steps: 10_000 }));
  });

  it("is the library's own recipe at any length, warm-up included", () => {
    fillPreset(form);
    fill("steps", "600");
    expect(trainSettings(optionsOf(form))).toEqual(trainSettings({ steps: 600 }));
  });

  it("is the lecture's where that is chosen", () => {
    choose("recipe", "lecture");
    // The form shows a validation loss, so the best weights are worth keeping there, too.
    const lecture = trainSettings({ recipe: "lecture", keepBest: true });
    expect(trainSettings(optionsOf(form))).toEqual(lecture);
  });

  it.each(["steps", "batchSize", "learningRate", "seed"])("refuses an empty %s", (name) => {
    fillPreset(form);
    fill(name, "");
    expect(() => trainSettings(optionsOf(form))).toThrow(new RegExp(`^train: ${name}\\S* is NaN`));
  });

  it("takes sizes of one's own, and folds however they are written", () => {
    choose("model", "own");
    for (const folds of ["2 4", "2,4", "2 × 4", "2x4"]) {
      fill("folds", folds);
      expect(optionsOf(form).model).toEqual({ contextLength: 8, embedding: 24, hidden: 128, folds: [2, 4] });
    }
    fill("folds", "");
    expect(optionsOf(form).model).toEqual({ contextLength: 8, embedding: 24, hidden: 128 });
    fill("hidden", "");
    expect(() => trainSettings(optionsOf(form))).toThrow(/^train: model\.hidden is NaN/);
  });
});

describe("resumedSteps", () => {
  const stopped = { contextLength: 8, vocabulary: [], layers: [], parameters: 0, step: 6000, steps: 30_000 };

  it.each([
    ["30000", 30_000],
    ["7000", 7000],
    // Fewer than are done: on to where the training was to go.
    ["5000", 30_000],
    ["6000", 30_000],
    // As the training had it.
    ["", 30_000],
    // For Train to show what is wrong.
    ["-3", undefined],
    ["6000.5", undefined],
  ])("of a form that says %j is %s", (steps, total) => {
    fill("steps", steps);
    expect(resumedSteps(form, stopped)).toBe(total);
  });

  it("is nothing where all steps are done, unless the form has more", () => {
    const done = { ...stopped, step: 30_000 };
    for (const steps of ["30000", "5000", ""]) {
      fill("steps", steps);
      expect(resumedSteps(form, done)).toBeUndefined();
    }
    fill("steps", "30001");
    expect(resumedSteps(form, done)).toBe(30_001);
  });
});
