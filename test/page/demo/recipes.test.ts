import { beforeEach, describe, expect, it } from "vitest";
import { field, find } from "../../../demo/src/dom";
import { clearRecipe, labelOf, optionsOf, resumedSteps } from "../../../demo/src/recipes";
import * as architectures from "../../../worker/model/architectures/list";
import { checkTrainOptions } from "../../../worker/options";
import { openPage } from "./page";

let form: HTMLFormElement;

beforeEach(() => {
  openPage();
  form = find("train-form", HTMLFormElement);
});

function choose(name: string, value: string): void {
  for (const radio of form.querySelectorAll<HTMLInputElement>(`[name=${name}]`))
    radio.checked = radio.value === value;
}

function fill(name: string, value: string): void {
  field(form, name).value = value;
}

describe("optionsOf", () => {
  it("gives the library's default if nothing was changed, for every length of list", () => {
    for (const examples of [50, 1000, 100_000])
      expect(checkTrainOptions(optionsOf(form))(examples)).toEqual(checkTrainOptions({})(examples));
  });

  it("gives the library's own recipe for any length of list", () => {
    fill("steps", "600");
    expect(checkTrainOptions(optionsOf(form))()).toEqual(checkTrainOptions({ steps: 600 })());
  });

  it.each(["default", "lecture", "makemore"] as const)(
    "gives the recipe %s if that is chosen, whatever the fields had before",
    (recipe) => {
      for (const name of ["steps", "batchSize", "learningRate", "warmup"]) fill(name, "7");
      fill("optimizer", "sgd");
      choose("recipe", recipe);
      clearRecipe(form);
      expect(checkTrainOptions(optionsOf(form))()).toEqual(checkTrainOptions({ recipe })());
    },
  );

  it("uses each field that is filled", () => {
    fill("batchSize", "16");
    fill("learningRate", "0.01");
    fill("decay", "linear");
    fill("warmup", "5");
    fill("optimizer", "sgd");
    const settings = checkTrainOptions({
      batchSize: 16,
      learningRate: { peak: 0.01, decay: "linear", warmup: 5 },
      optimizer: "sgd",
    })();
    expect(checkTrainOptions(optionsOf(form))()).toEqual(settings);
  });

  it("refuses an empty seed, and a warm-up without a rate", () => {
    fill("warmup", "5");
    expect(() => checkTrainOptions(optionsOf(form))()).toThrow(/^train: learningRate\.peak is NaN/);
    fill("warmup", "");
    fill("seed", "");
    expect(() => checkTrainOptions(optionsOf(form))()).toThrow(/^train: seed is NaN/);
  });

  it("has every model of the library to choose from, with a line on what it is", () => {
    for (const name of Object.keys(architectures)) {
      choose("model", name);
      expect(optionsOf(form).model ?? "wavenet").toBe(name);
      expect(field(form, "model").closest("label")?.querySelector("small")?.textContent).toMatch(/\w/);
      expect(labelOf(form, "model").toLowerCase()).toMatch(/^(bag of words|[a-z]+)$/);
    }
  });

  it("accepts custom sizes, and folds in any notation", () => {
    choose("model", "own");
    for (const folds of ["2 4", "2,4", "2 × 4", "2x4"]) {
      fill("folds", folds);
      expect(optionsOf(form).model).toEqual({ contextLength: 8, embedding: 24, hidden: 128, folds: [2, 4] });
    }
    fill("folds", "");
    expect(optionsOf(form).model).toEqual({ contextLength: 8, embedding: 24, hidden: 128 });
    fill("hidden", "");
    expect(() => checkTrainOptions(optionsOf(form))()).toThrow(/^train: model\.hidden is NaN/);
  });
});

describe("resumedSteps", () => {
  const stopped = { step: 6000, steps: 30_000 };

  it.each([
    ["30000", 30_000],
    ["7000", 7000],
    // Fewer steps than are done: go on to the training's planned total.
    ["5000", 30_000],
    ["6000", 30_000],
    // Empty: the training's planned total.
    ["", 30_000],
    // Invalid: Train shows the error.
    ["-3", undefined],
    ["6000.5", undefined],
  ])("of a form that says %j is %s", (steps, total) => {
    fill("steps", steps);
    expect(resumedSteps(form, stopped)).toBe(total);
  });

  it("is undefined if all steps are done, unless the form has more", () => {
    const done = { ...stopped, step: 30_000 };
    for (const steps of ["30000", "5000", ""]) {
      fill("steps", steps);
      expect(resumedSteps(form, done)).toBeUndefined();
    }
    fill("steps", "30001");
    expect(resumedSteps(form, done)).toBe(30_001);
  });
});
