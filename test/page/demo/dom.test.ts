import { beforeEach, describe, expect, it } from "vitest";
import { find, markFields, withoutCall } from "../../../demo/src/dom";
import { openPage } from "./page";

let form: HTMLFormElement;

beforeEach(() => {
  openPage();
  form = find("train-form", HTMLFormElement);
});

const marked = () =>
  [...form.querySelectorAll('[aria-invalid="true"]')].map((element) => element.getAttribute("name"));

describe("markFields", () => {
  it.each([
    ["train: steps is -3; it must be a whole number from 1 to 10,000,000.", ["steps"]],
    ["resume: steps is 40, and the training has done 40; give more steps to go on.", ["steps"]],
    ["train: learningRate.peak is NaN; it must be a number.", ["learningRate"]],
    ["train: learningRate.warmup is -1; it must be a whole number.", ["warmup"]],
    ["train: model.folds.1 is 0; it must be a whole number.", ["folds"]],
    // Text that contains the names of fields, but is not about a field.
    ["The loss of step 7 is NaN; try a lower learningRate. The model stays as it was at step 6.", []],
    ["train: model is 3; it must be a model.", []],
    ["", []],
  ])("by %j marks %j", (message, names) => {
    markFields(form, "train: batchSize is 0; it must be a whole number.");
    markFields(form, message);
    expect(marked()).toEqual(names);
  });
});

describe("withoutCall", () => {
  it.each([
    ["sample: count is 0; it must be a whole number.", "Count is 0; it must be a whole number."],
    ["There are no words; give at least one.", "There are no words; give at least one."],
    ["towns.csv: no table.", "towns.csv: no table."],
  ])("of %j is %j", (message, shown) => {
    expect(withoutCall(message)).toBe(shown);
  });
});
