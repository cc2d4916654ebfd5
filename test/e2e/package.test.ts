/** The built package in a real browser, used by a page without a bundler. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import type { Diagnostics, Makemore } from "../../src";
import { serve } from "../server";
import { type BuiltSite, dist, openSite, runInPage } from "./builtSite";

const names = readFileSync(new URL("../../demo/words/names.txt", import.meta.url), "utf8")
  .split("\n")
  .slice(0, 600)
  .join("\n");

let site: BuiltSite;
let page: Page;

/** The global variables of the page under test. */
interface Globals {
  mm: Makemore;
  Makemore: typeof Makemore;
  names: string;
  /** Returns the error of a promise in a form that can be compared. */
  failure(promise: Promise<unknown>): Promise<{ name: string; code: string; message: string }>;
}

beforeAll(async () => {
  site = await openSite(script);
});
afterAll(() => site?.close());

/** The script of the page under test, as its author would write it without a bundler. */
const script = `
  const failure = (promise) => promise.then(
    () => ({ name: "none", code: "none", message: "it did not fail" }),
    ({ name, code, message }) => ({ name, code, message }),
  );
  Object.assign(globalThis, { Makemore, mm: new Makemore({ backend: "wasm" }), failure });
`;

beforeEach(async () => {
  page = await site.open();
  await page.evaluate((words) => Object.assign(globalThis, { names: words }), names);
  site.server.requests.length = 0;
});
afterEach(() => page?.close());

const inPage = <T>(run: (globals: Globals) => Promise<T>) => runInPage(page, run);

test("the main file is small and contains no machine learning", () => {
  const main = readFileSync(`${dist}index.js`);
  expect(gzipSync(main, { level: 9 }).length).toBeLessThanOrEqual(9 * 1024);
  expect(main.toString()).not.toMatch(/tensorflow|onnx(?!")runtime|WebAssembly\.instantiate/);
  expect(gzipSync(readFileSync(`${dist}makemore-web/worker.js`), { level: 9 }).length).toBeLessThanOrEqual(
    88 * 1024,
  );
});

test("train, sample, score, evaluate", async () => {
  const got = await inPage(async ({ mm, names }) => {
    const progress: number[] = [];
    const result = await mm.train(names, {
      steps: 300,
      model: { embedding: 10, hidden: 32 },
      onProgress: (p) => progress.push(p.step),
    });
    const losses = await mm.evaluate();
    const samples = await mm.sample(5, { seed: 7 });
    const [score] = await mm.score(["emma"]);
    const streamed: string[] = [];
    for await (const word of mm.words({ seed: 7 })) if (streamed.push(word) === 40) break;
    return {
      streamed,
      same: await mm.sample(40, { seed: 7 }),
      next: await mm.next("emm"),
      progress,
      first: result.losses[0],
      losses,
      samples,
      again: await mm.sample(5, { seed: 7 }),
      score,
      backend: result.backend,
      model: mm.model,
    };
  });
  expect(got.progress.at(-1)).toBe(300);
  expect(got.backend).toBe("wasm");
  // An untrained model is nearly uniform over 27 symbols: ln 27 = 3.30.
  expect(got.first).toBeGreaterThan(3.1);
  expect(got.losses.train).toBeLessThan(2.7);
  expect(got.losses.validation).toBeLessThan(2.9);
  expect(got.samples).toHaveLength(5);
  expect(got.again).toEqual(got.samples);
  expect(got.streamed).toEqual(got.same);
  // `score` gives the same probability for this character.
  expect(got.next.find(({ character }) => character === "a")?.probability).toBeCloseTo(
    Math.exp(-(got.score?.surprises[3]?.surprise ?? Number.NaN)),
    5,
  );
  expect(got.score?.surprises.map((s) => s.character)).toEqual(["e", "m", "m", "a", ""]);
  expect(got.score?.logLikelihood).toBeCloseTo(
    -(got.score?.surprises ?? []).reduce((a, s) => a + s.surprise, 0),
    4,
  );
  expect(got.model?.step).toBe(300);
});

test("ONNX Runtime is not fetched before the first sample, tfjs never, and nothing from other hosts", async () => {
  const origins = new Set<string>();
  page.context().on("request", (request) => origins.add(new URL(request.url()).origin));
  await inPage(({ mm, names }) => mm.train(names, { steps: 20, model: { hidden: 16 } }));
  expect(site.server.requests).toEqual(["/dist/makemore-web/worker.js"]);
  await inPage(({ mm }) => mm.sample(1));
  expect(site.server.requests.slice(1).sort()).toEqual([
    "/dist/makemore-web/ort.js",
    "/dist/makemore-web/ort.wasm",
  ]);
  // The page's own thread loaded only the small main file.
  const loaded = await page.evaluate(() =>
    performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname),
  );
  expect(loaded.filter((path) => !path.endsWith("worker.js"))).toEqual(["/dist/index.js"]);
  expect([...origins].filter((origin) => origin !== site.server.origin)).toEqual([]);
});

test("diagnostics come with the progress on each engine, and do not change the losses", async () => {
  const got = await inPage(async ({ Makemore, names }) => {
    const run = async (backend: "wasm" | "webgpu", diagnostics: boolean | { every: number }) => {
      const maker = new Makemore({ backend });
      const looks: Diagnostics[] = [];
      const result = await maker.train(names, {
        steps: 20,
        model: { embedding: 4, hidden: 8 },
        diagnostics,
        onProgress: (p) => looks.push(...(p.diagnostics ?? [])),
      });
      maker.dispose();
      return { backend: result.backend, losses: [...result.losses], looks };
    };
    return {
      plain: [await run("wasm", false), await run("webgpu", false)],
      watched: [await run("wasm", { every: 10 }), await run("webgpu", { every: 10 })],
      some: await run("wasm", true),
    };
  });
  const script = "/dist/makemore-web/diagnostics.js";
  // Each of the three workers fetches it once, possibly from the browser's cache.
  expect(site.server.requests.filter((file) => file === script).length).toBeLessThanOrEqual(3);
  expect(site.server.requests).toContain(script);
  expect(got.some.looks[0]?.step).toBe(0);
  for (const [i, { backend, losses, looks }] of got.watched.entries()) {
    expect(backend).toBe(["wasm", "webgpu"][i]);
    expect(losses).toEqual(got.plain[i]?.losses);
    expect(looks.map(({ step }) => step)).toEqual([0, 10]);
    for (const [look, { layers, parameters }] of looks.entries()) {
      // Tolerance: both engines compute the same, up to rounding.
      const other = got.watched[0]?.looks[look];
      expect(layers.filter((layer) => layer.saturation !== undefined).map(({ layer }) => layer)).toEqual([
        "tanh1",
        "tanh2",
        "tanh3",
      ]);
      for (const [at, { activations }] of layers.entries())
        expect(activations.std).toBeCloseTo(other?.layers[at]?.activations.std ?? Number.NaN, 3);
      for (const [at, { updateToData }] of parameters.entries()) {
        const theirs = other?.parameters[at]?.updateToData;
        if (theirs === undefined) expect(updateToData).toBeUndefined();
        else expect(updateToData).toBeCloseTo(theirs, 1);
      }
    }
  }
});

test("a training that is resumed after a stop, or from a file, equals an unbroken one bit for bit", async () => {
  const got = await inPage(async ({ mm, Makemore, names, failure }) => {
    // Keep the last weights: the best ones may be from before the stop, and a file contains only one model.
    const options = { steps: 20_000, model: { embedding: 4, hidden: 8 }, seed: 3, keepBest: false } as const;
    const hash = async (of: Makemore) => {
      const bytes = new Uint8Array(await of.exportONNX());
      return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].join();
    };
    await mm.train(names, options);
    const unbroken = await hash(mm);

    const stopped = new Makemore({ backend: "wasm" });
    const controller = new AbortController();
    let at = 0;
    const abort = await failure(
      stopped.train(names, {
        ...options,
        signal: controller.signal,
        onProgress: (p) => {
          at = p.step;
          if (p.step >= 10) controller.abort();
        },
      }),
    );
    const stoppedAt = stopped.model?.step;
    const file = await stopped.exportONNX();
    await stopped.resume();
    const resumed = await hash(stopped);

    const loaded = new Makemore({ backend: "wasm" });
    await loaded.load(file);
    const loadedAt = loaded.model?.step;
    const without = await failure(loaded.resume());
    await loaded.resume({ words: names });
    const fromFile = await hash(loaded);
    stopped.dispose();
    loaded.dispose();
    return { unbroken, resumed, fromFile, abort, without, at, stoppedAt, loadedAt };
  });
  expect(got.abort.name).toBe("AbortError");
  expect(got.stoppedAt).toBeGreaterThanOrEqual(got.at ?? Number.NaN);
  expect(got.loadedAt).toBe(got.stoppedAt);
  expect(got.loadedAt).toBeLessThan(20_000);
  expect(got.without.code).toBe("NO_WORDS");
  expect(got.resumed).toBe(got.unbroken);
  expect(got.fromFile).toBe(got.unbroken);
});

test("resume beyond the end and after load, score and evaluate other words, export other forms", async () => {
  const got = await inPage(async ({ mm, Makemore, names, failure }) => {
    const tooEarly = await failure(mm.resume());
    await mm.train(names, { steps: 20, model: { embedding: 4, hidden: 8 } });
    const atEnd = await failure(mm.resume());
    const beyond = await mm.resume({ steps: 30 });
    const bare = await mm.exportONNX({ form: "convolution", trainingState: false });
    const whole = await mm.exportONNX({ form: "incremental" });

    const other = new Makemore({ backend: "wasm" });
    await other.load(new Blob([bare.slice()]));
    const noWords = [await failure(other.evaluate()), await failure(other.sample(1, { novel: true }))];
    const strange = await failure(other.evaluate(["Ωmega"]));
    const losses = [await mm.evaluate(names), await other.evaluate(names)];
    const resumed = await other.resume({ words: names, steps: 40 });
    await other.load(whole.slice().buffer);
    other.dispose();
    return {
      tooEarly,
      atEnd,
      noWords: noWords.map(({ code }) => code),
      strange,
      losses,
      beyond: { step: beyond.step, losses: beyond.losses.length },
      resumed: resumed.step,
      sizes: [bare.length, whole.length],
    };
  });
  expect(got.tooEarly.code).toBe("NO_MODEL");
  expect(got.atEnd).toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringContaining("has done 20"),
  });
  expect(got.beyond).toEqual({ step: 30, losses: 10 });
  expect(got.noWords).toEqual(["NO_WORDS", "NO_WORDS"]);
  expect(got.strange).toMatchObject({ code: "INVALID_WORDS", message: expect.stringContaining("Ω") });
  expect(got.losses[1]).toEqual(got.losses[0]);
  expect(got.resumed).toBe(40);
  expect(got.sizes[0]).toBeLessThan(got.sizes[1] ?? 0);
});

test("if onProgress throws, train rejects with the same error; a signal ends a sample", async () => {
  const got = await inPage(async ({ mm, names, failure }) => {
    const options = { steps: 1_000_000, model: { embedding: 4, hidden: 8 } } as const;
    const thrown = await failure(
      mm.train(names, {
        ...options,
        onProgress: () => {
          throw new Error("enough of it");
        },
      }),
    );
    const step = mm.model?.step;
    const controller = new AbortController();
    // More words than can be found before the abort.
    const sampling = failure(mm.sample(1_000_000, { unique: true, signal: controller.signal }));
    setTimeout(() => controller.abort(new Error("too many")), 100);
    return { thrown, step, sampling: await sampling, after: await mm.sample(2) };
  });
  expect(got.thrown.message).toBe("enough of it");
  expect(got.step).toBeGreaterThan(0);
  expect(got.step).toBeLessThan(1_000_000);
  expect(got.sampling.message).toBe("too many");
  expect(got.after).toHaveLength(2);
});

test("during a training, sample works; a second training and load are refused", async () => {
  const got = await inPage(async ({ mm, names, failure }) => {
    const file = await (async () => {
      await mm.train(names, { steps: 5, model: { hidden: 16 } });
      return mm.exportONNX();
    })();
    const controller = new AbortController();
    const training = failure(
      mm.train(names, { steps: 1_000_000, model: { hidden: 16 }, signal: controller.signal }),
    );
    const samples = await mm.sample(3);
    const second = await failure(mm.train(names));
    const load = await failure(mm.load(file));
    controller.abort(new Error("enough"));
    return { samples, second, load, end: await training, step: mm.model?.step };
  });
  expect(got.samples).toHaveLength(3);
  expect(got.second.code).toBe("BUSY");
  expect(got.load.code).toBe("BUSY");
  expect(got.end.message).toBe("enough");
});

test("files, buffers, words and signals of an iframe are accepted", async () => {
  const got = await inPage(async ({ mm, Makemore, names, failure }) => {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    const theirs = frame.contentWindow as unknown as typeof globalThis;
    const words = theirs.Array.from(names.split("\n"));
    await mm.train(words, theirs.JSON.parse('{ "steps": 5, "model": { "hidden": 16 } }'));
    const file = await mm.exportONNX();
    const view = new theirs.Uint8Array(file);
    const other = new Makemore({ backend: "wasm" });
    for (const onnx of [view, view.buffer, new theirs.Blob([view]), new theirs.File([view], "model.onnx")])
      await other.load(onnx, { words });
    const controller = new theirs.AbortController();
    const training = failure(mm.train(words, { steps: 1_000_000, signal: controller.signal }));
    const sample = await mm.sample(1, { novel: words, signal: controller.signal });
    controller.abort();
    const end = await training;
    const late = await failure(mm.sample(1, { signal: controller.signal }));
    const promise = await failure(mm.train(theirs.Promise.resolve(words) as never));
    const rejects = await failure(
      mm.train(words, { steps: 1_000_000, onProgress: () => theirs.Promise.reject(new Error("enough")) }),
    );
    other.dispose();
    return {
      instances: [view instanceof Uint8Array, controller.signal instanceof AbortSignal],
      ends: [end.name, late.name],
      sample: sample.length,
      promise,
      rejects: rejects.message,
    };
  });
  expect(got.instances).toEqual([false, false]);
  expect(got.ends).toEqual(["AbortError", "AbortError"]);
  expect(got.sample).toBe(1);
  expect(got.promise).toMatchObject({ code: "INVALID_WORDS", message: expect.stringContaining("await it") });
  expect(got.rejects).toBe("enough");
});

test("stop ends a training with its result so far: at once, in the middle, or twice; resume goes on", async () => {
  const got = await inPage(async ({ mm, names }) => {
    const options = { steps: 1_000_000, model: { hidden: 16 } } as const;
    mm.stop();
    const first = mm.train(names, options);
    mm.stop();
    const atOnce = await first;
    const second = await mm.resume({
      onProgress: ({ step }) => {
        if (step < 10) return;
        mm.stop();
        mm.stop();
      },
    });
    mm.stop();
    const rest = await mm.resume({ steps: second.step + 5 });
    return [atOnce, second, rest].map(({ step, losses, stopped, model }) => ({
      step,
      losses: losses.length,
      stopped,
      atModel: model.step,
    }));
  });
  const [atOnce, second, rest] = got;
  expect(atOnce).toEqual({ step: 0, losses: 0, stopped: true, atModel: 0 });
  expect(second?.step).toBeGreaterThanOrEqual(10);
  expect(second?.step).toBeLessThan(1_000_000);
  expect(second).toEqual({ step: second?.step, losses: second?.step, stopped: true, atModel: second?.step });
  expect(rest).toMatchObject({ losses: 5, stopped: false });
});

test("after a reload, a file with its list of words samples novel words, and can score each", async () => {
  const got = await inPage(async ({ mm, Makemore, names }) => {
    await mm.train(names, { steps: 300, model: { embedding: 10, hidden: 32 } });
    const file = await mm.exportONNX();
    mm.dispose();
    const other = new Makemore({ backend: "wasm" });
    await other.load(file);
    const list = names.split("\n");
    const novel = await other.sample(50, { novel: list, seed: 1 });
    await other.load(file, { words: names });
    const again = await other.sample(50, { novel: true, seed: 1 });
    const scores = await other.score(await other.sample(200));
    other.dispose();
    return { novel, again, scores: scores.length, known: novel.filter((word) => list.includes(word)) };
  });
  expect(got.novel).toHaveLength(50);
  expect(got.known).toEqual([]);
  expect(got.again).toEqual(got.novel);
  expect(got.scores).toBe(200);
});

test("words fulfil conditions, in one call and as a stream, also with a model that reads words", async () => {
  const got = await inPage(async ({ mm, Makemore, names, failure }) => {
    await mm.train(names, { steps: 300, model: { embedding: 10, hidden: 32 } });
    const conditions = { suffix: "ova", avoid: ["k", "nn"], pattern: /^[a-m]/g, seed: 1 };
    const words = await mm.sample(20, { ...conditions, minDistance: 2, orderBy: "likelihood", unique: true });
    const scores = (await mm.score(words)).map((score) => score.logLikelihood);
    const streamed: string[] = [];
    for await (const word of mm.words({ ...conditions, maxLength: 8 })) if (streamed.push(word) === 15) break;
    const tooFew = await mm
      .sample(3, { ...conditions, prefix: "a", maxLength: 4, unique: true, minDistance: 3 })
      .catch(({ code, condition, words }) => ({ code, condition, words }));
    const other = new Makemore({ backend: "wasm" });
    await other.load(await mm.exportONNX());
    const noWords = await failure(other.sample(1, { minDistance: 1 }));
    await other.train(names, { steps: 100, model: { type: "gru", embedding: 8, hidden: 16 } });
    const read = await other.sample(10, { contains: "zz", maxLength: 9, avoid: "q" });
    other.dispose();
    return { words, scores, streamed, tooFew, noWords, read };
  });
  expect(new Set(got.words).size).toBe(20);
  for (const word of [...got.words, ...got.streamed]) expect(word).toMatch(/^(?!.*(k|nn))([a-m].*)?ova$/);
  for (const word of got.streamed) expect(word.length).toBeLessThanOrEqual(8);
  expect(got.streamed).toHaveLength(15);
  expect(got.scores).toEqual([...got.scores].sort((a, b) => b - a));
  expect(got.tooFew).toMatchObject({ code: "SAMPLING_FAILED", condition: expect.any(String) });
  expect(got.noWords).toMatchObject({ code: "NO_WORDS" });
  for (const word of got.read) expect(word).toMatch(/^(?!.*q).*zz/);
});

test("bad input gives one clear error, and the model stays as it was", async () => {
  const got = await inPage(async ({ mm, names, failure }) => {
    const early = await failure(mm.sample());
    await mm.train(names, { steps: 30, model: { hidden: 16 }, keepBest: false });
    const before = (await mm.exportONNX()).join();
    const file = await mm.exportONNX();
    const altered = file.slice();
    altered[altered.length >> 1] = (altered[altered.length >> 1] ?? 0) ^ 1;
    const bad: Record<string, () => Promise<unknown>> = {
      "no words": () => mm.train([]),
      "only empty words": () => mm.train(["", "  "]),
      "one character": () => mm.train(["aaa", "aa"]),
      "not strings": () => mm.train([1 as unknown as string]),
      "zero steps": () => mm.train(names, { steps: 0 }),
      "unknown option": () => mm.train(names, { stepz: 5 } as object),
      "layers that do not fit": () =>
        mm.train(names, {
          model: [
            { type: "Embedding", dimensions: 4 },
            { type: "Linear", fanIn: 5 },
          ],
        }),
      "one row for a norm": () => mm.train(names, { batchSize: 1 }),
      "impossible prefix": () => mm.sample(1, { prefix: "Ω" }),
      "prefix beyond the length": () => mm.sample(1, { prefix: "abcdef", maxLength: 3 }),
      "impossible length": () => mm.sample(1, { minLength: 5, maxLength: 2 }),
      "zero temperature": () => mm.sample(1, { temperature: 0 }),
      "unknown character": () => mm.score(["Ω"]),
      "not an onnx file": () => mm.load(new Uint8Array([1, 2, 3])),
      truncated: () => mm.load(file.slice(0, file.length - 100)),
      altered: () => mm.load(altered),
    };
    const errors: Record<string, string> = {};
    for (const [name, call] of Object.entries(bad)) {
      const { name: kind, code, message } = await failure(call());
      errors[name] = `${kind} ${code} ${message}`;
    }
    const after = (await mm.exportONNX()).join();
    return { early, errors, same: before === after, step: mm.model?.step };
  });
  expect(got.early.code).toBe("NO_MODEL");
  const expected: Record<string, RegExp> = {
    "no words": /INVALID_WORDS .*no words/,
    "only empty words": /INVALID_WORDS All 2 words are empty/,
    "one character": /INVALID_WORDS .*only one character, "a"/,
    "not strings": /INVALID_WORDS .*word 0 is 1/,
    "zero steps": /INVALID_OPTION .*steps is 0/,
    "unknown option": /INVALID_OPTION .*"stepz"/,
    "layers that do not fit": /INVALID_MODEL .*linear1.*\[5, \d+\].*\[1, 4\]/,
    "one row for a norm": /INVALID_OPTION .*batchSize is 1/,
    "impossible prefix": /"Ω"/,
    "prefix beyond the length": /prefix/,
    "impossible length": /minLength is 5/,
    "zero temperature": /temperature is 0/,
    "unknown character": /"Ω"/,
    "not an onnx file": /INVALID_ONNX/,
    truncated: /INVALID_ONNX/,
    altered: /INVALID_ONNX/,
  };
  expect(Object.keys(got.errors)).toEqual(Object.keys(expected));
  for (const [name, message] of Object.entries(expected)) {
    expect(got.errors[name]).toMatch(/^MakemoreError /);
    expect(got.errors[name]).toMatch(message);
  }
  expect(got.same).toBe(true);
  expect(got.step).toBe(30);
});

test("a learning rate that is far too high ends in DIVERGED, and the model before it stays", async () => {
  const got = await inPage(async ({ mm, names, failure }) => {
    const model = [
      { type: "Embedding", dimensions: 8 },
      { type: "FlattenConsecutive", n: 3 },
      { type: "Linear" },
    ] as const;
    const end = await failure(mm.train(names, { steps: 5000, model, optimizer: "sgd", learningRate: 1000 }));
    return { end, samples: await mm.sample(2, { maxLength: 5 }) };
  });
  expect(got.end).toMatchObject({ name: "MakemoreError", code: "DIVERGED" });
  expect(got.samples).toHaveLength(2);
});

test("a list of layers that the fast engines do not support trains on tfjs automatically", async () => {
  const got = await inPage(async ({ mm, names }) => {
    const { backend, notices, losses } = await mm.train(names, {
      steps: 20,
      optimizer: "sgd",
      model: [
        { type: "Embedding", dimensions: 4 },
        { type: "FlattenConsecutive", n: 3 },
        { type: "Linear", fanOut: 8 },
        { type: "Tanh" },
        { type: "BatchNorm1d" },
        { type: "Linear" },
      ],
    });
    return { backend, notices, last: losses.at(-1), samples: await mm.sample(2) };
  });
  expect(got.backend).toBe("tfjs");
  expect(got.notices.join()).toMatch(/wasm engine cannot run this/);
  expect(got.last).toBeLessThan(3.4);
  expect(got.samples).toHaveLength(2);
});

test("a missing worker file gives LOAD_FAILED with its URL", async () => {
  const got = await inPage(async ({ Makemore, failure }) =>
    failure(new Makemore({ workerURL: "/missing/worker.js" }).sample()),
  );
  expect(got).toMatchObject({
    name: "MakemoreError",
    code: "LOAD_FAILED",
    message: expect.stringContaining("/missing/worker.js"),
  });
});

test("a missing file of the worker gives LOAD_FAILED with its URL, and training works without it", async () => {
  const got = await inPage(async ({ Makemore, names, failure }) => {
    const mm = new Makemore({
      backend: "wasm",
      assetsURL: "/missing",
      workerURL: "/dist/makemore-web/worker.js",
    });
    await mm.train(names, { steps: 5, model: { hidden: 16 } });
    const sample = await failure(mm.sample());
    mm.dispose();
    return sample;
  });
  expect(got).toMatchObject({
    code: "LOAD_FAILED",
    message: expect.stringMatching(/\/missing\/ort\.(js|wasm).*assetsURL/),
  });
});

test("a file that failed to load is fetched again by the next call", async () => {
  await page.route("**/ort.js", (route) => route.abort(), { times: 1 });
  const got = await inPage(async ({ mm, names, failure }) => {
    await mm.train(names, { steps: 5, model: { hidden: 16 } });
    return { first: await failure(mm.sample()), second: await mm.sample(2) };
  });
  expect(got.first.code).toBe("LOAD_FAILED");
  expect(got.second).toHaveLength(2);
});

test.each([
  ["closes", () => self.close()],
  [
    "throws",
    () => {
      setTimeout(() => {
        throw new Error("a bug");
      });
    },
  ],
])("a worker that %s in mid-call rejects every call in flight", async (_, end) => {
  const calls = inPage(async ({ mm, names, failure }) => {
    const onProgress = () => void Object.assign(globalThis, { underWay: true });
    const training = failure(mm.train(names, { steps: 10_000_000, model: { hidden: 16 }, onProgress }));
    const sampling = failure(mm.sample(1_000_000));
    return { ends: [await training, await sampling], model: mm.model };
  });
  await page.waitForFunction("globalThis.underWay");
  await page
    .workers()[0]
    ?.evaluate(end)
    .catch(() => {});
  const got = await calls;
  for (const failed of got.ends)
    expect(failed).toMatchObject({ name: "MakemoreError", code: "WORKER_FAILED" });
  expect(got.model).toBeUndefined();
  // The next call starts another worker; a late report of the first one's death does not affect it.
  const after = await inPage(async ({ mm, names }) => {
    await mm.train(names, { steps: 5, model: { hidden: 16 } });
    return { samples: await mm.sample(2), step: mm.model?.step };
  });
  expect(after).toEqual({ samples: [expect.any(String), expect.any(String)], step: 5 });
  expect(page.workers()).toHaveLength(1);
});

test("it works in a sandboxed frame, which has no origin, no storage and no locks", async () => {
  const elsewhere = await serve({ "/dist/": dist }, { "access-control-allow-origin": "*" });
  onTestFinished(() => elsewhere.close());
  const program = `
    const { Makemore } = await import("${elsewhere.origin}/dist/index.js");
    const mm = new Makemore({ backend: "wasm" });
    await mm.train(["emma", "olivia", "ava"], { steps: 5, split: [1, 0, 0], model: { hidden: 8 } });
    return mm.sample(2);`;
  const samples = await page.evaluate(
    (program) =>
      new Promise((resolve) => {
        addEventListener("message", (event) => resolve(event.data), { once: true });
        const frame = document.createElement("iframe");
        frame.sandbox.add("allow-scripts");
        frame.srcdoc = `<script type="module">
          (async () => {${program}})().catch(String).then((end) => parent.postMessage(end, "*"));
        </${"script"}>`;
        document.body.append(frame);
      }),
    program,
  );
  expect(samples).toEqual([expect.any(String), expect.any(String)]);
});

test("dispose ends the worker, and an unused instance has none", async () => {
  await inPage(async ({ mm, names, Makemore }) => {
    new Makemore();
    await mm.train(names, { steps: 5, model: { hidden: 16 } });
  });
  expect(page.workers()).toHaveLength(1);
  await inPage(async ({ mm }) => mm.dispose());
  await expect.poll(() => page.workers()).toHaveLength(0);
});
