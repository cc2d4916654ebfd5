/**
 * Makes the lists of towns and chemical elements from the npm package @faker-js/faker (see lists.provenance.md):
 *
 *     npm install --no-save @faker-js/faker@10.6.0
 *     node demo/words/make-lists.mjs
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// From the working directory, because the package is no dependency of this repository.
const faker = createRequire(`${process.cwd()}/`).resolve("@faker-js/faker");
/** @type {{ allLocales: Record<string, any> }} */
const { allLocales } = await import(pathToFileURL(faker).href);

/** Code points of the longest name: a longer one is a district with its river and province. */
const LONGEST = 24;
/** Letters, and what joins them; a name with anything else has a remark, such as "Bratislava II" or "Азов (Рост.)". */
const NAME = /^[\p{Letter}\p{Mark}][\p{Letter}\p{Mark} '’.-]*$/u;

/** @param {string} file @param {string[]} names */
function write(file, names) {
  const words = names
    .map((name) => name.trim().normalize("NFC").toLowerCase())
    .filter((name) => NAME.test(name) && [...name].length <= LONGEST);
  const list = [...new Set(words)].sort();
  writeFileSync(new URL(file, import.meta.url), `${list.join("\n")}\n`);
  console.log(`${file}: ${list.length} words, ${new Set(list.join("")).size} characters`);
}

for (const [country, locale] of [
  ["hungary", "hu"],
  ["india", "en_IN"],
  ["italy", "it"],
  ["poland", "pl"],
])
  write(`towns-${country}.txt`, allLocales[locale ?? ""]?.location.city_name);
write(
  "elements.txt",
  allLocales.en?.science.chemical_element.map((/** @type {{ name: string }} */ { name }) => name),
);
