/**
 * Makes the lists of this folder from their sources; see lists.provenance.md.
 *
 *     node bench/words/make-lists.mjs package/raw-data/yob1900.txt /usr/share/zoneinfo/zone.tab package/raw-data/yob2016.txt
 */
import { readFileSync, writeFileSync } from "node:fs";

const GIRLS = 1000;
/** Names of each sex. */
const BY_SEX = 2000;

const [births = "", zones = "", births2016 = ""] = process.argv.slice(2);

/** @param {string} name @param {string[]} words */
function write(name, words) {
  const list = [...new Set(words.map((word) => word.toLowerCase()))];
  writeFileSync(new URL(name, import.meta.url), `${list.join("\n")}\n`);
  console.log(`${name}: ${list.length} words`);
}

// Lines such as "Mary,F,16707", most births first for each sex.
const girls = readFileSync(births, "utf8")
  .split("\n")
  .map((line) => line.trim().split(","))
  .filter(([, sex]) => sex === "F")
  .map(([name = ""]) => name);
write("girls-1900.txt", girls.slice(0, GIRLS));

// The third column is a zone such as "America/Argentina/Buenos_Aires"; its last part is a town.
const towns = readFileSync(zones, "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split("\t")[2]?.split("/").at(-1)?.replaceAll("_", " ") ?? "");
write("towns.txt", towns);

/** Births by name and sex. @type {Map<string, { F: number, M: number }>} */
const bySex = new Map();
for (const line of readFileSync(births2016, "utf8").split("\n")) {
  const [name = "", sex, count] = line.trim().split(",");
  if (name === "") continue;
  const of = bySex.get(name) ?? { F: 0, M: 0 };
  of[sex === "F" ? "F" : "M"] += Number(count);
  bySex.set(name, of);
}
const mostBirths = [...bySex].sort(([, a], [, b]) => b.F + b.M - (a.F + a.M));
/** @param {(births: { F: number, M: number }) => boolean} isOf */
const namesOf = (isOf) => mostBirths.filter(([, births]) => isOf(births)).map(([name]) => name);
write("girls-2016.txt", namesOf(({ F, M }) => F > M).slice(0, BY_SEX));
write("boys-2016.txt", namesOf(({ F, M }) => M > F).slice(0, BY_SEX));
