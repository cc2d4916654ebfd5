/**
 * Searches recipes: trains on the wasm engine in Node, for every combination of the given settings and every seed.
 * It prints a table of seconds, validation and test loss; `--json FILE` saves each run.
 *
 *     node scripts/run.mjs bench/search.ts batchSize=96,128,192 optimizer.beta1=0.7,0.8
 *     node scripts/run.mjs bench/search.ts --count 1000 model=mlp,wavenet optimizer.weightDecay=0.2,0.4
 *
 * A setting is an option of `train`, or of its optimiser or learning rate. The recipe sets all other options. Each
 * combination is compared with the first one, seed by seed.
 *
 * Seconds are processor time of the thread, so that other programs matter little. The script enables relaxed SIMD,
 * which is off in Node by default.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import type { TrainOptions } from "../src";
import { inSlices } from "../src/slices";
import { buildDataset, type Dataset, exampleCount } from "../worker/data/dataset";
import { examplesWork } from "../worker/data/examples";
import { createWasmEngine } from "../worker/engines/wasm";
import { createWasmPredictor } from "../worker/engines/wasm/predictor";
import { architecture } from "../worker/model/architectures";
import { buildNetwork, initialParameters, parameterCount } from "../worker/model/network";
import { checkTrainOptions, type TrainSettings } from "../worker/options";
import { Forecast, meanLoss } from "../worker/training/forecast";
import { Training } from "../worker/training/training";

/** Settings and their values, by the path of each: `optimizer.beta1`. */
type Combination = Readonly<Record<string, unknown>>;

interface Run {
  readonly seed: number;
  readonly parameters: number;
  readonly step: number;
  readonly batchSize: number;
  readonly seconds: number;
  readonly validation: number;
  readonly test: number;
}

/** The command. */
export async function main(args: string[]): Promise<void> {
  setFlagsFromString("--experimental-wasm-relaxed-simd");
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      words: { type: "string" },
      count: { type: "string" },
      seeds: { type: "string", default: "42,43,44" },
      json: { type: "string" },
    },
  });
  const file = values.words ?? new URL("../demo/words/names.txt", import.meta.url);
  const words = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .slice(0, Number(values.count ?? Infinity));
  const seeds = values.seeds.split(",").map(Number);
  const base: TrainOptions = { shuffle: values.words === undefined || values.count !== undefined };
  const grid = combinations(positionals);
  const names = Object.keys(grid[0] ?? {});
  console.log(`${cpus()[0]?.model}, Node ${process.version}, ${words.length} words, seeds ${values.seeds}\n`);
  console.log(
    `| ${[...names, "parameters", "steps x batch", "seconds", "validation", "test", "seeds better"].join(" | ")} |`,
  );
  console.log(`|${"---|".repeat(names.length + 6)}`);
  const all: (Combination & { readonly runs: readonly Run[] })[] = [];
  for (const combination of grid) {
    const runs: Run[] = [];
    for (const seed of seeds) runs.push(await train(words.join("\n"), { ...base, seed }, combination));
    all.push({ ...combination, runs });
    const [first] = runs;
    if (!first) throw new Error("--seeds is empty.");
    const reference = all[0]?.runs ?? [];
    const better = runs.filter(({ validation }, i) => validation < (reference[i]?.validation ?? 0)).length;
    const cells = [
      ...names.map((name) => JSON.stringify(combination[name])),
      first.parameters.toLocaleString("en"),
      `${first.step} x ${first.batchSize}`,
      mean(runs.map(({ seconds }) => seconds)).toFixed(1),
      spread(runs.map(({ validation }) => validation)),
      spread(runs.map(({ test }) => test)),
      reference === runs ? "" : `${better} of ${runs.length}`,
    ];
    console.log(`| ${cells.join(" | ")} |`);
    if (values.json) writeFileSync(values.json, `${JSON.stringify(all, undefined, 1)}\n`);
  }
}

/** Every combination of `name=value,value` settings; values are JSON, or else strings. */
function combinations(settings: readonly string[]): Combination[] {
  return settings.reduce<Combination[]>(
    (grid, setting) => {
      const [name = "", list = ""] = setting.split("=");
      // Do not split an object at its commas.
      const values = list.startsWith("{") ? [list] : list.split(",");
      return grid.flatMap((combination) => values.map((value) => ({ ...combination, [name]: parse(value) })));
    },
    [{}],
  );
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Builds the settings of a training: options first, then those inside the optimiser and the learning rate. */
function settingsOf(options: TrainOptions, combination: Combination, examples: number): TrainSettings {
  const whole = Object.entries(combination).filter(([path]) => !path.includes("."));
  const given: TrainOptions = { ...options, ...Object.fromEntries(whole) };
  const { optimizer, learningRate } = checkTrainOptions(given)(examples);
  const within = (part: string) =>
    Object.fromEntries(
      Object.entries(combination).flatMap(([path, value]) =>
        path.startsWith(`${part}.`) ? [[path.slice(part.length + 1), value]] : [],
      ),
    );
  return checkTrainOptions({
    ...given,
    optimizer: { ...optimizer, ...within("optimizer") },
    learningRate: { ...learningRate, ...within("learningRate") },
  })(examples);
}

/** Trains once, to the weights that the training keeps. */
async function train(words: string, options: TrainOptions, combination: Combination): Promise<Run> {
  const dataset = buildDataset(words, checkTrainOptions(options)());
  const settings = settingsOf(options, combination, exampleCount(dataset.train));
  const { model, evalEvery, sampleEvery, ...recipe } = settings;
  const { vocabulary, train: stream } = dataset;
  const network = buildNetwork(architecture(model), vocabulary.size);
  const parameters = initialParameters(network, recipe.seed);
  const checkpoint = { vocabulary, network, parameters, step: 0, recipe };
  const started = process.cpuUsage();
  const examples = await inSlices(examplesWork(stream, network, recipe));
  const engine = await createWasmEngine({
    ...{ network, parameters, optimizer: recipe.optimizer, stream, seed: recipe.seed },
    ...{ batchSize: recipe.batchSize, ...(examples ? { examples } : {}) },
  });
  const forecast = new Forecast(createWasmPredictor, network, dataset, recipe.batchSize);
  const watch = forecast.watch(checkpoint);
  const training = new Training(checkpoint, dataset, {
    ...{ evalEvery: 0, sampleEvery: 0, watch, notices: [] },
    openEngine: () => Promise.reject(new Error("The wasm engine was lost.")),
    evaluate: () => Promise.reject(new Error("Nothing is evaluated on the way.")),
    sample: () => Promise.reject(new Error("Nothing is sampled on the way.")),
    onProgress: () => {},
    others: () => undefined,
  });
  await training.run(engine);
  const kept = (await watch?.best(training.checkpoint))?.checkpoint ?? training.checkpoint;
  const seconds = process.cpuUsage(started).user / 1e6;
  forecast.dispose();
  const { validation, test } = await losses(dataset, kept);
  const { seed, batchSize } = recipe;
  return {
    seed,
    parameters: parameterCount(network.parameters),
    step: training.step,
    batchSize,
    seconds,
    validation,
    test,
  };
}

/** Computes the losses over whole splits. */
async function losses(
  { validation, test }: Dataset,
  { network, parameters }: Training["checkpoint"],
): Promise<{ validation: number; test: number }> {
  const predictor = await createWasmPredictor(network, 128);
  predictor.load(parameters);
  const of = (stream: typeof test) => meanLoss(predictor, network, stream, Number.POSITIVE_INFINITY);
  const found = { validation: await of(validation), test: await of(test) };
  predictor.dispose();
  return found;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}

/** Formats the mean, with the range. */
function spread(numbers: readonly number[]): string {
  return `${mean(numbers).toFixed(4)} (${Math.min(...numbers).toFixed(4)} - ${Math.max(...numbers).toFixed(4)})`;
}
