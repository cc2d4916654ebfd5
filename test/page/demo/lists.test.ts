import { readdirSync, readFileSync, statSync } from "node:fs";
import { beforeEach, expect, it } from "vitest";
import { LISTS, listOf } from "../../../demo/src/lists";
import { preparedFor } from "../../../demo/src/prepared";
import { openPage } from "./page";

beforeEach(() => openPage());

const read = (id: string) =>
  readFileSync(id === "plants" ? "bench/words/plants.txt" : `demo/words/${id}.txt`, "utf8")
    .trim()
    .split("\n");

it("has a button, a list and a model for each list", () => {
  const chips = [...document.querySelectorAll<HTMLElement>("[data-list]")].map(({ dataset }) => dataset.list);
  expect(chips).toEqual(LISTS.map(({ id }) => id));
  expect(listOf("atlantis")).toBeUndefined();
});

it.each(LISTS.map(({ id }) => id))(
  "%s has distinct words, and a model that writes words which are not in the list",
  (id) => {
    const words = read(id);
    expect(new Set(words).size).toBe(words.length);
    for (const word of words) expect(word).toBe(word.trim().normalize("NFC").toLowerCase());
    const model = preparedFor(id);
    expect(model?.words).toHaveLength(24);
    const characters = new Set(words.join(""));
    for (const word of model?.words ?? []) {
      expect(words).not.toContain(word);
      expect([...word].filter((character) => !characters.has(character))).toEqual([]);
    }
    expect(model?.bytes).toBe(statSync(`demo/models/${id}.onnx`).size);
  },
);

it("has a source for each list, and small models", () => {
  const sources = readFileSync("demo/words/lists.provenance.md", "utf8");
  for (const { id } of LISTS.slice(1)) expect(sources).toContain(`${id}.txt`);
  const bytes = readdirSync("demo/models")
    .filter((name) => name.endsWith(".onnx"))
    .reduce((sum, name) => sum + statSync(`demo/models/${name}`).size, 0);
  expect(bytes).toBeLessThan(400_000);
});
