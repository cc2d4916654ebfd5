/** The command `makemore-web`, installed from the package and run as a child process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeAll, expect, test } from "vitest";
import { version } from "../../package.json";
import { type Consumer, install, words } from "./consumer";

let app: Consumer;
beforeAll(async () => {
  app = await install("node");
  await writeFile(join(app.folder, "names.txt"), words);
});

const list = new Set(words.split("\n"));
const small = ["--type", "mlp", "--n-embd", "4", "--n-embd2", "16"];

/** Starts a program in the app's folder. */
function start(program: string, args: string[]) {
  return spawn(program, args, { cwd: app.folder, timeout: 120_000 });
}

async function run(args: string[], input = "") {
  const child = start(join(app.folder, "node_modules/.bin/makemore-web"), args);
  child.stdin.end(input);
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { output, errors, code };
}

test("prints samples like makemore.py, and saves the model", async () => {
  const { output, code } = await run([
    "names.txt",
    ...["--type", "mlp", "--steps", "3000", "--seed", "7", "-n", "300", "-o", "names.onnx"],
  ]);
  expect(code).toBe(0);
  const groups = output.split(/^-{80}\n/m).slice(1);
  const found = groups.flatMap((group) => {
    const [heading = "", ...samples] = group.trim().split("\n");
    expect(heading).toMatch(new RegExp(`^${samples.length} samples that are (in train|in test|new):$`));
    for (const word of samples) expect(list.has(word), `${heading} ${word}`).toBe(!heading.includes("new"));
    return samples;
  });
  expect(found).toHaveLength(300);
  expect(output).toMatch(/that are in train:.*that are new:/s);

  const again = ["--sample-only", "-o", "names.onnx", "-n", "300", "--seed", "7", "--quiet"];
  const sampled = await run(again);
  expect(sampled.output.trim().split("\n").sort()).toEqual(found.sort());
  const novel = await run([...again.slice(0, -1), "names.txt", "--novel", "--prefix", "ma", "--json"]);
  const { samples } = JSON.parse(novel.output);
  expect(samples).toHaveLength(300);
  for (const sample of samples) {
    expect(sample).toEqual({ word: expect.stringMatching(/^ma/), in: "new" });
    expect(list).not.toContain(sample.word);
  }
});

test("prints words that fulfil conditions", async () => {
  await writeFile(join(app.folder, "avoid.txt"), "nn\nova\n");
  const common = ["names.txt", ...small, "--steps", "200", "-n", "20", "--seed", "1", "--quiet"];
  const { output, errors, code } = await run([
    ...common,
    ...["--suffix", "a", "--pattern", "/^[A-M]/i", "--avoid", "avoid.txt", "--min-distance", "1"],
  ]);
  expect({ errors, code }).toEqual({ errors: "", code: 0 });
  for (const word of output.trim().split("\n")) {
    expect(word).toMatch(/^(?!.*(nn|ova))([a-m].*)?a$/);
    expect(list).not.toContain(word);
  }
  const listed = await run([...common, "--contains", "ll", "--avoid", "e,i"]);
  expect(listed.output).toMatch(/^(?:[^ei\n]*ll[^ei\n]*\n){20}$/);
  const wrong = await run([...common, "--pattern", "(a"]);
  expect(wrong).toMatchObject({
    code: 2,
    errors: expect.stringMatching(/--pattern .*Invalid regular expression/),
  });
});

test("names a file that it cannot read, and a folder that it cannot write to", async () => {
  expect(await run(["nowhere.txt"])).toMatchObject({
    code: 1,
    errors: "makemore-web: cannot read nowhere.txt: there is no such file or folder\n",
  });
  expect(await run(["names.txt", "-o", "nowhere/model.onnx"])).toMatchObject({
    code: 1,
    errors: "makemore-web: cannot write to nowhere: there is no such file or folder\n",
  });
  expect(await run(["names.txt", "--resume", "-o", "."])).toMatchObject({
    code: 1,
    errors: "makemore-web: cannot read .: it is a folder\n",
  });
});

test("reads a pipe; --quiet prints only the words", async () => {
  const { output, errors, code } = await run(
    ["-", ...small, "--steps", "20", "-n", "3", "--quiet", "--type", "wavenet"],
    words,
  );
  expect({ errors, code }).toEqual({ errors: "", code: 0 });
  expect(output).toMatch(/^([a-z]+\n){3}$/);
});

test("a terminal shows a bar with live samples; Ctrl+C saves, and --resume goes on", async () => {
  const command = ["node_modules/.bin/makemore-web", "names.txt", ...small, "-o", "stopped.onnx"];
  // util-linux's `script` runs the command in a terminal.
  const child = start("script", [
    "-qefc",
    ["stty cols 100 rows 30;", ...command, "--steps", "10000000"].join(" "),
    "/dev/null",
  ]);
  let screen = "";
  let pressed = false;
  child.stdout.on("data", (chunk) => {
    screen += chunk;
    // Press Ctrl+C at the first sample below the bar, and only once: a second Ctrl+C would end it without saving.
    if (
      !pressed &&
      /░ [\d,]+\/10,000,000 {2}loss \d\.\d{4} {2}\d+ s left\r?\n[^\n]*[a-z]{2} {2}[a-z]/.test(screen)
    ) {
      pressed = true;
      child.stdin.write("\x03");
    }
  });
  const [code] = await once(child, "close");
  expect(code, screen).toBe(130);
  const [, step] = screen.match(/Stopped at step (\d+); saved to stopped\.onnx/) ?? [];
  expect((await readFile(join(app.folder, "stopped.onnx"))).length).toBeGreaterThan(1000);

  const resumed = await run([
    ...[
      "names.txt",
      "--resume",
      "-o",
      "stopped.onnx",
      "--steps",
      `${Number(step) + 10}`,
      "--json",
      "-n",
      "1",
    ],
  ]);
  expect(JSON.parse(resumed.output).training).toMatchObject({ step: Number(step) + 10, backend: "wasm" });
});

test.each<[string, string[], number, RegExp]>([
  ["--help", ["--help"], 0, /^$/],
  ["--version", ["--version"], 0, /^$/],
  ["no words", [], 2, /give a file of words/],
  ["an unknown option", ["names.txt", "--temprature", "1"], 2, /--temperature/],
  ["no number", ["names.txt", "-n", "many"], 2, /must be a number/],
  ["--resume without a file", ["names.txt", "--resume"], 2, /-o <file>/],
  [
    "--resume with a size",
    ["names.txt", "--resume", "-o", "x.onnx", "--n-embd", "4"],
    2,
    /--n-embd.*--resume/,
  ],
  [
    "--sample-only with steps",
    ["--sample-only", "-o", "x.onnx", "--steps", "4"],
    2,
    /--steps.*--sample-only/,
  ],
  ["an unknown type", ["names.txt", "--type", "wavent"], 2, /"wavent".*"wavenet"/],
  ["steps out of range", ["names.txt", "--steps", "0"], 2, /steps is 0.*10000000/],
  ["a missing file", ["nowhere.txt"], 1, /nowhere\.txt/],
  [
    "a missing file to avoid",
    ["names.txt", "--avoid", "nowhere.txt"],
    2,
    /^makemore-web: --avoid is "nowhere/,
  ],
  ["a missing folder for the model", ["names.txt", "-o", "nowhere/x.onnx"], 1, /^makemore-web: .*nowhere/],
  ["a file that is not a list of words", ["package.json"], 1, /JSON/],
])("exit code and message: %s", async (_, args, code, message) => {
  const result = await run(args);
  expect(result).toMatchObject({ code, errors: expect.stringMatching(message) });
  if (args[0] === "--version") expect(result.output).toBe(`${version}\n`);
  if (args[0] === "--help") expect(result.output).toContain("--sample-only");
  if (code > 0) expect(result.output).toBe("");
});
