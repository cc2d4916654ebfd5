/** Exported files in other tools: ONNX's checker, and the snippets of docs/onnx.md. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import * as layers from "../../worker/model/layers/list";
import { writeONNX } from "../../worker/onnx/write";
import { Inference } from "../../worker/sampling/inference";
import { recipeEntries } from "../../worker/training/recipe";
import { pytorchCheckpoint, randomCheckpoint } from "../checkpoint";
import { families, familyRun } from "../families";
import { scoreWords } from "../scores";

const folder = mkdtempSync(join(tmpdir(), "makemore-"));
afterAll(() => rmSync(folder, { recursive: true }));

const forms = ["window", "convolution", "incremental"] as const;
const checkpoint = pytorchCheckpoint("wavenet");
const files = Object.fromEntries(
  forms.map((form) => {
    const path = join(folder, `${form}.onnx`);
    writeFileSync(path, writeONNX(checkpoint, { form, trainingState: true }));
    return [form, path];
  }),
);

/** Finds a Python that has these modules. `PYTHON` chooses one. */
function pythonWith(modules: string[], env = process.env): string | undefined {
  return [process.env.PYTHON, "/usr/bin/python3", "python3"].find(
    (python) => python && spawnSync(python, ["-c", `import ${modules.join(", ")}`], { env }).status === 0,
  );
}
function sayWhySkipped(...modules: string[]): void {
  console.warn(`Skipped: no Python with ${modules.join(" and ")}; set PYTHON to one to run these tests.`);
}

const checker = pythonWith(["onnx"]);
if (!checker) sayWhySkipped("onnx");
describe.skipIf(!checker)("ONNX's own checker, if Python has it", () => {
  const script = `
import json, sys, onnx
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
print(json.dumps({
    "opset": [entry.version for entry in model.opset_import],
    "operators": sorted({node.op_type for node in model.graph.node}),
    "parameters": [t.name for t in model.graph.initializer if t.data_type == 1 and "/" not in t.name],
    "moments": sum(len(info.algorithm.initializer) for info in model.training_info),
}))`;

  test.each([
    ["window", ["BatchNormalization", "Gather", "Add", "MatMul", "Reshape", "Tanh"]],
    ["convolution", ["BatchNormalization", "Conv", "Gather", "Pad", "Reshape", "Tanh", "Transpose"]],
    [
      "incremental",
      [
        "Add",
        "Div",
        "Gather",
        "Gemm",
        "Identity",
        "MatMul",
        "Mul",
        "Neg",
        "Reshape",
        "Slice",
        "Sqrt",
        "Tanh",
      ],
    ],
  ] as const)("passes the %s form, moments included", (form, operators) => {
    const path = join(folder, `checked-${form}.onnx`);
    const trained = randomCheckpoint("wavenet");
    writeFileSync(path, writeONNX(trained, { form, trainingState: true }));
    const report = JSON.parse(execFileSync(checker ?? "", ["-c", script, path], { encoding: "utf8" }));
    expect(report.opset).toEqual([17]);
    expect(report.operators).toEqual([...operators].sort());
    // The file has every parameter under its own name, and nothing else.
    expect(report.parameters.sort()).toEqual(trained.network.parameters.map(({ name }) => name).sort());
    expect(report.moments).toBe(2 * trained.network.parameters.filter(({ trainable }) => trainable).length);
  });

  test.each(families)("accepts the forms of %s, including moments", (family) => {
    const trained = randomCheckpoint(familyRun(family).network.layers.map(({ spec }) => spec));
    for (const form of ["sequence", "incremental"] as const) {
      const path = join(folder, `checked-${family}-${form}.onnx`);
      writeFileSync(path, writeONNX(trained, { form, trainingState: true }));
      const report = JSON.parse(execFileSync(checker ?? "", ["-c", script, path], { encoding: "utf8" }));
      expect(report.opset).toEqual([17]);
      expect(report.parameters.sort()).toEqual(trained.network.parameters.map(({ name }) => name).sort());
      expect(report.moments).toBe(2 * trained.network.parameters.length);
      const cell = family.toUpperCase();
      if (form === "sequence" && ["RNN", "GRU", "LSTM"].includes(cell))
        expect(report.operators).toContain(cell);
    }
  });
});

// Python's own ONNX Runtime, or else the C library of onnxruntime-node under the same name.
const installed = pythonWith(["numpy", "onnxruntime"]);
const env = installed ? process.env : { ...process.env, PYTHONPATH: "test/python" };
const python = installed ?? pythonWith(["numpy", "onnxruntime"], env);
if (!python) sayWhySkipped("numpy");

const inference = new Inference(async () => ort, checkpoint);
afterAll(() => inference.dispose());
const scoreLines = async (word: string) => {
  const [score] = await scoreWords(inference, checkpoint.vocabulary, [word]);
  return score?.surprises.map(({ character, surprise }) => [character || "(end)", surprise] as const) ?? [];
};
function run(program: string, snippet: string, ...args: string[]): string[] {
  return execFileSync(program, [`docs/snippets/${snippet}`, ...args], { encoding: "utf8", env })
    .trimEnd()
    .split("\n");
}
/** None of them is empty. */
const twentyWords = Array(20).fill(expect.stringMatching(/^[a-z]+$/));
async function expectScores(lines: string[], word: string): Promise<void> {
  const expected = await scoreLines(word);
  expect(lines.map((line) => line.split(" ")[0])).toEqual(expected.map(([character]) => character));
  // The snippet prints four decimals.
  for (const [i, line] of lines.entries())
    expect(Number(line.split(" ")[1])).toBeCloseTo(expected[i]?.[1] ?? Number.NaN, 3);
}

test.each(["README.md", "docs/onnx.md"])(
  "the code in %s is part of the snippet that is named before it",
  (file) => {
    const parts = readFileSync(file, "utf8").split(/^```(?:python|js)\n(.*?)^```$/msu);
    const blocks = parts.flatMap((part, i) =>
      i % 2 === 1 ? [{ code: part, before: parts[i - 1] ?? "" }] : [],
    );
    expect(blocks).toHaveLength(2);
    for (const { code, before } of blocks) {
      // The first snippet named since the section's heading or since the block before.
      const [name = ""] =
        before
          .split("\n## ")
          .at(-1)
          ?.match(/snippets\/[a-z]+\.(?:py|mjs)/u) ?? [];
      expect(readFileSync(`docs/${name}`, "utf8")).toContain(code);
    }
  },
);

test("docs/onnx.md specifies every layer and every field of a recipe", () => {
  const specification = readFileSync("docs/onnx.md", "utf8");
  const fields = Object.keys(recipeEntries).map((field) => `\n| \`${field}\` `);
  for (const what of [...Object.keys(layers).map((type) => `\`${type}\``), ...fields])
    expect(specification).toContain(what);
});

test("the Node snippets sample and score", async () => {
  expect(run("node", "sample.mjs", files.window ?? "", "20")).toEqual(twentyWords);
  await expectScores(run("node", "score.mjs", files.convolution ?? "", "isabella"), "isabella");
});

test.skipIf(!python)("the Python snippets sample and score, if there is a Python with numpy", async () => {
  expect(run(python ?? "", "sample.py", files.window ?? "", "20")).toEqual(twentyWords);
  await expectScores(run(python ?? "", "score.py", files.convolution ?? "", "isabella"), "isabella");
  await expectScores(run(python ?? "", "incremental.py", files.incremental ?? "", "isabella"), "isabella");
});

test.skipIf(!python).each(families)(
  "the Python snippet scores words with both forms of %s",
  async (family) => {
    const model = randomCheckpoint(familyRun(family).network.layers.map(({ spec }) => spec));
    const words = new Inference(async () => ort, model);
    const [score] = await scoreWords(words, model.vocabulary, ["isabella"]);
    await words.dispose();
    for (const form of ["sequence", "incremental"] as const) {
      const path = join(folder, `${family}-${form}.onnx`);
      writeFileSync(path, writeONNX(model, { form, trainingState: true }));
      const lines = run(python ?? "", "words.py", path, "isabella").map((line) => line.split(" "));
      expect(lines.map(([character]) => character)).toEqual([..."isabella", "(end)"]);
      // The snippet prints four decimals.
      for (const [i, [, surprise]] of lines.entries())
        expect(Number(surprise)).toBeCloseTo(score?.surprises[i]?.surprise ?? Number.NaN, 3);
    }
  },
);
