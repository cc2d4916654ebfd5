/** The command's arguments. test/consumers/command.test.ts runs the command. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseArguments, readAvoided } from "../../src/command/options";

const optionsOf = (...args: string[]) => parseArguments(["names.txt", ...args]).options;

test("--column is a name, or a number from 0, as for train", () => {
  expect(optionsOf("--column", "name").column).toBe("name");
  expect(optionsOf("--column", "0").column).toBe(0);
});

test("--avoid is a file, or words; the name of a missing file is no word", () => {
  const folder = mkdtempSync(join(tmpdir(), "makemore-web-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "avoid.txt");
  writeFileSync(file, "bad\nworse\n");
  expect(readAvoided(file)).toBe("bad\nworse\n");
  expect(readAvoided("bad,worse")).toEqual(["bad", "worse"]);
  for (const missing of ["avoided.txt", "bad/avoided"])
    expect(() => readAvoided(missing)).toThrow(`--avoid is "${missing}"; there is no such file.`);
});
