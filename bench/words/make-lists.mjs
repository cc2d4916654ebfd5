/**
 * Makes the lists of this folder from their sources; see lists.provenance.md.
 *
 *     node bench/words/make-lists.mjs package/raw-data/yob1900.txt /usr/share/zoneinfo/zone.tab
 */
import { readFileSync, writeFileSync } from "node:fs";

const GIRLS = 1000;

const [births = "", zones = ""] = process.argv.slice(2);

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
