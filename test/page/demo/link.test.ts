import { beforeEach, expect, it } from "vitest";
import { find } from "../../../demo/src/dom";
import { formFields, setFields } from "../../../demo/src/formFields";
import { fitsLink, hashOf, type Link, linkOf } from "../../../demo/src/link";
import { openPage } from "./page";

beforeEach(() => openPage());

it.each<Link>([
  { fields: {} },
  { list: "plants", fields: { steps: "300", "sample-prefix": "a&b=c #ü😀" } },
  { words: "Aix-en-Provence\nשלום\n100 %", fields: { model: "mlp" } },
])("reads what it wrote: %o", (link) => {
  expect(linkOf(hashOf(link))).toEqual(link);
});

it("refuses a link with the same option twice, or with two lists", () => {
  expect(linkOf("#steps=1&steps=2")).toEqual({ problem: "it has an option twice" });
  expect(linkOf("#list=plants&words=a")).toEqual({ problem: "it has two lists" });
});

it("takes only as many words as a link can have", () => {
  expect(fitsLink("anna\n".repeat(400))).toBe(true);
  expect(fitsLink("anna\n".repeat(1000))).toBe(false);
  // Each emoji takes 12 characters in a link.
  expect(fitsLink("😀".repeat(400))).toBe(false);
});

it("checks the value of each field of the form, and finds the changed fields", () => {
  const form = find("train-form", HTMLFormElement);
  const fields = () => formFields(form, "");
  expect([...fields().values()].filter(({ isChanged }) => isChanged)).toEqual([]);
  setFields(form, "", { model: "gru", steps: "300", optimizer: "sgd" });
  expect(
    [...fields()].filter(([, { isChanged }]) => isChanged).map(([name, { value }]) => [name, value]),
  ).toEqual([
    ["model", "gru"],
    ["steps", "300"],
    ["optimizer", "sgd"],
  ]);
  const accepts = (name: string, value: string) => fields().get(name)?.accepts(value);
  for (const [name, value] of [
    ["model", "lstm"],
    ["steps", "1"],
    ["learningRate", "0.01"],
    ["backend", "webgpu"],
    ["folds", "2 2"],
  ] as const)
    expect([name, accepts(name, value)]).toEqual([name, true]);
  for (const [name, value] of [
    ["model", "gpt"],
    ["steps", "0"],
    ["steps", "many"],
    ["steps", ""],
    ["batchSize", "5000"],
    ["backend", "cuda"],
  ] as const)
    expect([name, value, accepts(name, value)]).toEqual([name, value, false]);
  // All other fields have their first values.
  setFields(form, "", {});
  expect([...fields().values()].filter(({ isChanged }) => isChanged)).toEqual([]);
});
