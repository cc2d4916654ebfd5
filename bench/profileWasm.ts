/**
 * Profiles a step of the wasm engine by kernel. It trains in Chromium under the sampling profiler, with a build that
 * keeps the kernels' names. The time of kernels that the browser inlines (rows.ts) counts for the Level that calls
 * them.
 *
 *     node bench/profile-wasm.mjs [relaxed-simd | simd] [batchSize] [sgd | adamw] [even | random] [model]
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";
import { build } from "vite";
import { chromiumArgs, chromiumPath } from "../scripts/browsers.mjs";
import type { kernelsModule } from "../scripts/build-kernels.mjs";
import { type ArchitectureName, exampleOfChoice } from "../worker/model/architectures";
import * as architectures from "../worker/model/architectures/list";
import { summarise } from "./statistics";
import type { Profiled } from "./web/profiled";
import type { Task } from "./web/trainers";

/** Global that bench/web/profiled.ts defines in the page. */
declare const profiled: Profiled;

const WARM_UP = 2000;
/** Number of times that a step is timed, in CPU time of the thread, so that other load does not matter. */
const REPEATS = 9;
const STEPS_A_REPEAT = 1000;
/** Number of steps under the profiler, which gives each kernel's share. */
const STEPS = 6000;

/** Divides the steps of models that read words, whose steps take up to 20 times as long as the WaveNet's. */
const FEWER_OF_WORDS = 20;

/** Functions with a smaller share of the time are listed as one. */
const SMALLEST_SHARE = 0.003;

/**
 * Runs it.
 *
 * @param compile passed in, because Vite's runner cannot load the compiler
 */
export async function main(
  [
    device = "relaxed-simd",
    batchSize = "128",
    optimizer = "adamw",
    order = "even",
    model = "wavenet",
  ]: string[],
  compile: typeof kernelsModule,
) {
  if (device !== "relaxed-simd" && device !== "simd")
    throw new Error(`There is no build ${device}; choose relaxed-simd or simd.`);
  if (order !== "even" && order !== "random")
    throw new Error(`There is no order ${order}; choose even (with soft targets) or random.`);
  if (!isArchitecture(model)) throw new Error(`There is no model ${model}; try wavenet, gru or transformer.`);
  const fewer = exampleOfChoice(model) === "word" ? FEWER_OF_WORDS : 1;
  const task: Task = {
    words: readFileSync(new URL("../demo/words/names.txt", import.meta.url), "utf8"),
    batchSize: Number(batchSize),
    optimizer:
      optimizer === "sgd"
        ? { type: "sgd" }
        : { type: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 },
    seed: 42,
    split: [0.8, 0.1, 0.1],
    shuffle: true,
  };
  const content = await bundle(compile);
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ content });
    await page.evaluate(([task, device, order, model]) => profiled.begin(task, device, order, model), [
      task,
      device,
      order,
      model,
    ] as const);
    await page.evaluate((steps) => profiled.run(steps), WARM_UP / fewer);

    const profiler = await page.context().newCDPSession(page);
    await profiler.send("Performance.enable");
    const cpuSeconds = async () => {
      const { metrics } = await profiler.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "ThreadTime")?.value ?? Number.NaN;
    };
    const repeats: number[] = [];
    for (let i = 0; i < REPEATS; i++) {
      const before = await cpuSeconds();
      await page.evaluate((steps) => profiled.run(steps), STEPS_A_REPEAT / fewer);
      repeats.push(((await cpuSeconds()) - before) / (STEPS_A_REPEAT / fewer));
    }
    const microseconds = summarise(repeats.map((seconds) => seconds * 1e6));

    await profiler.send("Profiler.enable");
    await profiler.send("Profiler.setSamplingInterval", { interval: 100 });
    await profiler.send("Profiler.start");
    await page.evaluate((steps) => profiled.run(steps), STEPS / fewer);
    const { profile } = await profiler.send("Profiler.stop");

    const { median, min, max } = microseconds;
    console.log(
      `${model}, ${device}, batch ${batchSize}, ${optimizer}, ${order}: ${median.toFixed(0)} us of CPU a step (${min.toFixed(0)} to ${max.toFixed(0)})`,
    );
    if (fewer === 1) {
      const { levels, nominal, shared } = await page.evaluate(() => profiled.rows(200));
      console.log(`${nominal.toFixed(1)} MFLOP as written, ${shared.toFixed(1)} with shared rows`);
      for (const [l, { places, rows, slots }] of levels.entries())
        console.log(
          `  level ${l + 1}: ${places} places, ${rows.toFixed(1)} rows, of ${slots.map((n) => n.toFixed(1)).join(" + ")} products`,
        );
    }
    for (const [name, share] of shares(profile))
      console.log(
        `${(share * median).toFixed(1).padStart(8)} us ${(share * 100).toFixed(1).padStart(5)} %  ${name}`,
      );
  } finally {
    await browser.close();
  }
}

function isArchitecture(name: string): name is ArchitectureName {
  return Object.hasOwn(architectures, name);
}

/** Bundles the page's script, with named kernels. */
async function bundle(compile: typeof kernelsModule): Promise<string> {
  const named = await compile(["--debug"]);
  const built = await build({
    configFile: false,
    logLevel: "error",
    plugins: [
      {
        name: "kernels with names",
        enforce: "pre",
        load: (id) => (id.endsWith("/wasm/binaries.ts") ? named : undefined),
      },
    ],
    build: {
      write: false,
      lib: {
        entry: fileURLToPath(new URL("web/profiled.ts", import.meta.url)),
        formats: ["iife"],
        name: "profile",
      },
    },
  });
  const [first] = Array.isArray(built) ? built : [];
  const code = first?.output[0].code;
  if (!code) throw new Error("The page's script was not built.");
  return code;
}

/** The fields of the profiler's result that are used here. */
interface Profile {
  nodes: { id: number; callFrame: { functionName: string } }[];
  samples?: number[];
  timeDeltas?: number[];
}

/** Computes each function's share of the sampled time, largest first. */
function shares({ nodes, samples = [], timeDeltas = [] }: Profile): [name: string, share: number][] {
  const names = new Map(
    nodes.map(({ id, callFrame }) => [id, callFrame.functionName.replace(/^.*\/kernels\//, "")]),
  );
  const times = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? "";
    if (name === "(idle)" || name === "(program)") continue;
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0));
  }
  const total = [...times.values()].reduce((a, b) => a + b, 0);
  const sorted = [...times].map(([name, time]): [string, number] => [name, time / total]);
  const large = sorted.filter(([, share]) => share >= SMALLEST_SHARE).sort((a, b) => b[1] - a[1]);
  return [...large, ["the rest", 1 - large.reduce((sum, [, share]) => sum + share, 0)]];
}
