/** The worker's side of a `Makemore`, in Node: the wasm engine, and ONNX Runtime for Node. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { version } from "../../package.json";
import type { AssetURLs } from "../../src/assetURLs";
import type { EncodedWords, Outcome, ScoredWords, WorkerConfiguration } from "../../src/protocol";
import { nextTask } from "../../src/slices";
import type { Progress, TrainResult } from "../../src/types";
import { loadONNXRuntime } from "../../worker/assets";
import { isReadable } from "../../worker/data/normalization";
import { Session } from "../../worker/session";
import { sentByPage, sentWords } from "../sentWords";
import { list, onEvents, onPart, sampled, settled } from "../session";

vi.mock("../../worker/assets", async () => (await import("../session")).nodeAssets());

const model = { contextLength: 4, embedding: 4, hidden: 8 };

const names = readFileSync("demo/words/names.txt", "utf8").split("\n").slice(0, 300);

test("a file of 0.1.0 loads, and resumes with the losses of 0.1.0", async () => {
  const file = readFileSync("test/fixtures/version-0.1.0.onnx");
  const saved: { words: string[]; losses: number[] } = JSON.parse(
    readFileSync("test/fixtures/version-0.1.0.json", "utf8"),
  );
  const session = new Session();
  const info = await settled(session.load(0, new Uint8Array(file), {}, undefined));
  expect(info).toMatchObject({ contextLength: 4, step: 20, steps: 40 });
  const { losses } = await settled(session.resume(1, {}, list(saved.words), onEvents()));
  expect(losses).toHaveLength(20);
  // Tolerance: another SIMD build or newer kernels may round the sums differently.
  for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(saved.losses[i] ?? Number.NaN, 4);
});

test("the engine that auto measured trains with the same bits as one that is opened for the training", async () => {
  const session = new Session();
  const train = (id: number) =>
    settled(session.train(id, { steps: 30, model, optimizer: "adamw" }, list(names), onEvents()));
  // The second training finds the benchmarks of the first one.
  const [first, second] = [await train(1), await train(2)];
  expect(second.measured).toBe(first.measured);
  expect(first.losses).toEqual(second.losses);
  expect(first.model).toEqual(second.model);
});

test("a worker of another version, and a backend that does not exist, are refused", async () => {
  const configuration = {
    version,
    options: {},
    files: { worker: "https://example.com/worker.js" } as AssetURLs,
    measurements: new Map(),
    lockName: "test",
  };
  const configure = (change: Partial<WorkerConfiguration>) =>
    settled(new Session().configure({ ...configuration, ...change }));
  await expect(configure({ version: "0.0.9" })).rejects.toThrow(
    /^LOAD_FAILED: The worker https:\/\/example.com\/worker.js .* version 0\.0\.9; serve the files of one version/,
  );
  await expect(configure({ options: { backend: "cuda" as never } })).rejects.toThrow(
    /^INVALID_OPTION: new Makemore: backend is "cuda"/,
  );
});

test("a training that is stopped during setup ends at step 0; one stopped later ends there; resume goes on", async () => {
  const session = new Session();
  const first = session.train(1, { steps: 50, model }, list(names), onEvents());
  session.stop(1);
  session.stop(1);
  expect(await settled(first)).toMatchObject({ step: 0, steps: 50, stopped: true, backend: "wasm" });
  const rest = await settled(session.resume(2, {}, undefined, onEvents()));
  expect(rest).toMatchObject({ step: 50, stopped: false });
  expect(rest.losses).toHaveLength(50);

  const later = await settled(
    session.train(
      3,
      { steps: 1_000_000, model, keepBest: false },
      list(names),
      onEvents(({ step }) => {
        if (step >= 10) session.stop(3);
      }),
    ),
  );
  expect(later.stopped).toBe(true);
  expect(later.step).toBeGreaterThanOrEqual(10);
  expect(later.step).toBeLessThan(1_000_000);
  expect(later.losses).toHaveLength(later.step);
  expect(later.model.step).toBe(later.step);
  // The stop arrives before the training, as it may if `stop` is called right after `train`.
  session.stop(4);
  expect(await settled(session.train(4, { steps: 50, model }, list(names), onEvents()))).toMatchObject({
    step: 0,
    stopped: true,
  });
});

test("a training that is stopped and then aborted during setup leaves the old model", async () => {
  const session = new Session();
  await settled(session.train(1, { steps: 5, model }, list(names), onEvents()));
  const second = session.train(2, { steps: 50, model }, list(names), onEvents());
  session.stop(2);
  session.abort(2);
  await expect(settled(second)).rejects.toThrow("aborted");
  const file = await settled(session.exportONNX(10, {}));
  expect(await settled(session.load(11, file, {}, undefined))).toMatchObject({ step: 5 });
});

test("once an aborted call has ended, the page gets the model that it left, if it is the current one", async () => {
  const session = new Session();
  await settled(session.train(1, { steps: 5, model }, list(names), onEvents()));
  const file = await settled(session.exportONNX(2, {}));
  expect(await settled(session.abort(2))).toBeUndefined();
  expect(await settled(session.abort(1))).toMatchObject({ step: 5 });
  await settled(session.load(3, file, {}, undefined));
  expect(await settled(session.abort(1))).toBeUndefined();
  expect(await settled(session.abort(3))).toMatchObject({ step: 5 });
  let started = () => {};
  const steps = new Promise<void>((resolve) => {
    started = resolve;
  });
  const training = session.train(4, { steps: 1e6, model, keepBest: false }, list(names), onEvents(started));
  await steps;
  const left = await settled(session.abort(4));
  await expect(settled(training)).rejects.toThrow("aborted");
  expect(left?.steps).toBe(1e6);
  const last = await settled(session.exportONNX(5, {}));
  expect(await settled(session.load(6, last, {}, undefined))).toEqual(left);
});

test("after an aborted training, the next one keeps further ones out", async () => {
  const session = new Session();
  const train = (id: number, onProgress = () => {}) =>
    settled(session.train(id, { steps: 1e6, model, keepBest: false }, list(names), onEvents(onProgress)));
  const first = train(1);
  session.abort(1);
  let started = () => {};
  const isTraining = new Promise<void>((resolve) => {
    started = resolve;
  });
  const second = train(2, started);
  await expect(first).rejects.toThrow("aborted");
  await isTraining;
  await expect(train(3)).rejects.toThrow(/^BUSY: train: a training is running/);
  session.abort(2);
  await expect(second).rejects.toThrow("aborted");
});

test("a model that is loaded while an aborted training ends is the one that stays", async () => {
  const session = new Session();
  await settled(session.train(1, { steps: 5, model }, list(names), onEvents()));
  const file = await settled(session.exportONNX(2, {}));
  let load: Promise<unknown> = Promise.resolve();
  let progress = 0;
  const start = () => {
    if (++progress > 1) return;
    session.abort(3);
    load = settled(session.load(4, file, {}, undefined));
  };
  const training = session.train(3, { steps: 1e6, model, keepBest: false }, list(names), onEvents(start));
  await expect(settled(training)).rejects.toThrow("aborted");
  await load;
  const left = await settled(session.exportONNX(5, {}));
  expect(await settled(session.load(6, left, {}, undefined))).toMatchObject({ step: 5, steps: 5 });
});

test("after load, novel leaves out the words that were given to sample or to load", async () => {
  const session = new Session();
  // All words of up to three letters, so that most samples are in the list, also in its validation and test splits.
  const longer = (words: readonly string[]) => words.flatMap((word) => [`${word}a`, `${word}b`]);
  const few = [...longer([""]), ...longer(longer([""])), ...longer(longer(longer([""])))];
  await settled(session.train(1, { steps: 30, model }, list(few), onEvents()));
  const file = await settled(session.exportONNX(10, {}));
  const sample = (novel: EncodedWords | undefined) =>
    sampled(session, { seed: 1, maxLength: 4, novel: true }, 100, novel);
  await settled(session.load(12, file.slice(), {}, undefined));
  await expect(sample(undefined)).rejects.toThrow(/NO_WORDS.*novel: words.*load\(file, \{ words \}\)/);
  const byList = await sample(list([...few, "strange"]));
  expect(byList.filter((word) => few.includes(word))).toEqual([]);
  expect(await sample(list(["a"]))).toEqual(expect.arrayContaining(["b", "ab"]));
  expect(await sample(list([]))).toEqual(expect.arrayContaining(["a", "b", "ab"]));
  await settled(session.load(12, file.slice(), {}, list(few)));
  expect(await sample(undefined)).toEqual(byList);
  await expect(settled(session.resume(3, {}, undefined, onEvents()))).rejects.toThrow(
    "the training has done 30; to go on, give a larger total, such as resume({ steps: 60 })",
  );
});

test("sample keeps the words of its model, even if another model arrives before the words to avoid", async () => {
  const session = new Session();
  await settled(session.train(1, { steps: 30, model }, list(["a", "b", "aa", "ab", "ba"]), onEvents()));
  const file = await settled(session.exportONNX(2, {}));
  const late = new MessageChannel();
  const words: string[] = [];
  const take = onPart<string[]>((part) => void words.push(...part));
  const options = { seed: 1, maxLength: 4, minDistance: 2 };
  const avoid = { port: late.port2, isText: false };
  const sampling = session.sample(3, options, 5, undefined, take, avoid);
  await nextTask();
  // The file comes without words.
  await settled(session.load(4, file, {}, undefined));
  late.port1.postMessage(undefined);
  await settled(sampling);
  expect(words).toHaveLength(5);
});

test("a training loads ONNX Runtime only with prefetch, not for its samples and evaluations", async () => {
  const load = vi.mocked(loadONNXRuntime).mockClear();
  const session = new Session();
  const samples: string[] = [];
  const validations: number[] = [];
  const listen = () =>
    onEvents(({ samples: more = [], evaluation }) => {
      samples.push(...more);
      if (evaluation) validations.push(evaluation.validation);
    });
  const options = { steps: 20, model, sampleEvery: 10, evalEvery: 10, keepBest: false };
  await settled(session.train(1, options, list(names), listen()));
  expect(samples).toHaveLength(10);
  expect(samples.join("")).toMatch(/^[a-z]+$/);
  expect(validations).toHaveLength(2);
  expect(load).not.toHaveBeenCalled();
  // ONNX Runtime computes the loss of the same model on the whole split. Only float32 rounding differs.
  const { validation } = await settled(session.evaluate(10, {}, undefined));
  expect(validations[1]).toBeCloseTo(validation, 5);
  load.mockClear();
  await settled(session.train(2, { ...options, prefetch: true }, list(names), listen()));
  expect(load).toHaveBeenCalledTimes(1);
  // After a failed prefetch, the first call that needs the file fetches it again, and reports a failure.
  load.mockRejectedValueOnce(new Error("no network"));
  await settled(session.resume(3, { steps: 30, prefetch: true }, undefined, listen()));
  expect(load).toHaveBeenCalledTimes(2);
  expect(await sampled(session, {}, 3)).toHaveLength(3);
});

test("words come until the call is aborted; each part waits until the page has taken the one before", async () => {
  const session = new Session();
  await settled(session.train(1, { steps: 5, model }, list(names), onEvents()));
  const parts: string[][] = [];
  const taken: (() => void)[] = [];
  const take = onPart((words: string[]) => {
    parts.push(words);
    return new Promise<void>((resolve) => taken.push(resolve));
  });
  const call = session.words(2, { seed: "towns" }, undefined, take);
  await vi.waitUntil(() => parts.length === 1, 20_000);
  // While the page does not answer, other calls still work, and no further part is sent.
  const same = await sampled(session, { seed: "towns" }, 30);
  expect(parts).toEqual([same.slice(0, 10)]);
  taken[0]?.();
  await vi.waitUntil(() => parts.length === 2, 20_000);
  expect(parts.flat()).toEqual(same);
  session.abort(2);
  await expect(settled(call)).rejects.toThrow("aborted");
  expect(parts).toHaveLength(2);
  const wrong = session.words(3, { count: 3 } as never, undefined, onPart());
  await expect(settled(wrong)).rejects.toThrow(
    /words: there is no option "count"; there are temperature.*signal/,
  );
  await expect(settled(session.next(4, {}, 3 as never))).rejects.toThrow(
    "next: prefix is 3; it must be a string",
  );
});

test("words with the same NFC are one word, and a model can score all of its words", async () => {
  const session = new Session();
  for (const words of [
    ["é", "e", "o", "x\u0301"],
    ["e", "o", "x\u0301"],
  ]) {
    const few = list(Array(60).fill(words).flat());
    await settled(session.train(1, { steps: 20, model: { contextLength: 2, hidden: 8 } }, few, onEvents()));
    const sample = (options: object) => sampled(session, { seed: 1, ...options }, 200);
    const novel = await sample({ novel: true, maxLength: 2 });
    expect(novel.filter((word) => words.includes(word.normalize("NFC")))).toEqual([]);
    expect(novel.filter((word) => word !== word.normalize("NFC"))).toEqual([]);
    await settled(session.score(3, {}, list(await sample({})), onPart()));
  }
});

test("a CSV text trains on the named column, and the result has a notice about too few words", async () => {
  const session = new Session();
  const text = ["name,count", ...names.map((name, i) => `${name},${i}`)].join("\n");
  const csv = (column?: string): Promise<Outcome<TrainResult>> => {
    const words = sentWords(text, true);
    return session.train(1, { steps: 5, model, ...(column ? { column } : {}) }, words, onEvents());
  };
  await expect(settled(csv())).rejects.toThrow(/INVALID_WORDS.*column: "name"/);
  const { words, notices } = await settled(csv("name"));
  expect(words.count).toBe(300);
  expect(notices).toEqual([]);
  const withoutWords = "column is 0, and there are no words; give { words, column }";
  await expect(settled(session.resume(3, { steps: 9, column: 0 }, undefined, onEvents()))).rejects.toThrow(
    withoutWords,
  );
  const file = await settled(session.exportONNX(10, {}));
  await expect(settled(session.load(11, file, { column: 0 }, undefined))).rejects.toThrow(withoutWords);
  const few = await settled(session.train(2, { steps: 5, model }, list(["emma", "ava"]), onEvents()));
  expect(few.notices).toEqual([expect.stringContaining("only 2 words")]);
});

test("resume refuses other words, or another order, because it would train on validation words", async () => {
  const session = new Session();
  await settled(session.train(1, { steps: 10, model }, list(names), onEvents()));
  const file = await settled(session.exportONNX(10, {}));
  const other = new Session();
  await settled(other.load(11, file.slice(), {}, undefined));
  const resume = (words: readonly string[]) =>
    settled(other.resume(2, { steps: 12 }, list(words), onEvents()));
  const sorted = [...names].sort().reverse();
  await expect(resume(sorted)).rejects.toThrow(
    /INVALID_WORDS: resume: these are the 300 words .* another order/,
  );
  await expect(resume(names.slice(1))).rejects.toThrow(/the training had 300 words, and these are 299/);
  await expect(resume([...names.slice(1), names[1] ?? ""])).rejects.toThrow(/these are other ones/);
  await expect(settled(other.load(11, file.slice(), {}, list(sorted)))).rejects.toThrow(/another order/);
  await expect(settled(other.evaluate(12, {}, list(sorted)))).rejects.toThrow(/another order/);
  // evaluate accepts other words. All splits have this one.
  const nora = Array<string>(10).fill("nora");
  let perCharacter = Number.NaN;
  const take = onPart(({ surprises }: ScoredWords) => {
    perCharacter = surprises.reduce((sum, surprise) => sum + surprise, 0) / surprises.length;
  });
  await settled(other.score(13, {}, list(nora), take));
  for (const loss of Object.values(await settled(other.evaluate(12, {}, list(nora)))))
    expect(loss).toBeCloseTo(perCharacter, 5);
  // A text of one line is one word for evaluate, and a mistake for a training.
  expect((await settled(other.evaluate(12, {}, sentWords("nora", true)))).train).toBeCloseTo(perCharacter, 5);
  const oneLine = other.resume(2, { steps: 12 }, sentWords("nora", true), onEvents());
  await expect(settled(oneLine)).rejects.toThrow(/INVALID_WORDS: resume: .* of one line/);
  // resume accepts the same words with other white space and line ends.
  const text = () => sentWords(names.map((name) => ` ${name} `).join("\r\n"), true);
  expect(await settled(other.evaluate(12, {}, text()))).toEqual(
    await settled(session.evaluate(12, {}, undefined)),
  );
  expect((await settled(other.resume(3, { steps: 12 }, text(), onEvents()))).step).toBe(12);
  // A file that is exported after that has the words' fingerprint too.
  const again = new Session();
  await settled(again.load(11, await settled(other.exportONNX(10, {})), {}, undefined));
  await expect(settled(again.resume(4, { steps: 14 }, list(sorted), onEvents()))).rejects.toThrow(
    "another order",
  );
});

test("a file of 0.1.0 accepts any words, and requires the same ones from then on", async () => {
  const file = readFileSync("test/fixtures/version-0.1.0.onnx");
  const { words }: { words: string[] } = JSON.parse(readFileSync("test/fixtures/version-0.1.0.json", "utf8"));
  const session = new Session();
  await settled(session.load(11, new Uint8Array(file), {}, list(words)));
  const reversed = () => list([...words].reverse());
  await expect(settled(session.evaluate(12, {}, reversed()))).rejects.toThrow("another order");
  // So does a training that goes on with words of its own.
  await settled(session.load(11, new Uint8Array(file), {}, undefined));
  await settled(session.resume(1, { steps: 21 }, reversed(), onEvents()));
  await settled(session.load(11, await settled(session.exportONNX(10, {})), {}, undefined));
  await expect(settled(session.resume(2, { steps: 22 }, list(words), onEvents()))).rejects.toThrow(
    "another order",
  );
});

/** So many steps for 240 names that the validation loss is lowest long before the last step. */
const overfitting = {
  model: { contextLength: 4, embedding: 8, hidden: 64 },
  steps: 1000,
  batchSize: 32,
  learningRate: 0.01,
  optimizer: { type: "adamw", weightDecay: 0.01 },
  order: "random",
  targets: "hard",
} as const;

test("the weights with the best validation loss are kept, the same ones every time", async () => {
  const session = new Session();
  const { kept, ...result } = await settled(session.train(1, overfitting, list(names), onEvents()));
  if (!kept) return expect.unreachable();
  expect(result).toMatchObject({ step: 1000, steps: 1000, model: { step: kept.step, steps: 1000 } });
  expect(kept.step).toBeLessThan(400);
  const losses = await settled(session.evaluate(12, {}, undefined));
  // Tolerance: float32 rounding in our kernels and in ONNX Runtime's.
  expect(kept.validation).toBeCloseTo(losses.validation, 4);
  const file = await settled(session.exportONNX(10, {}));

  const last = new Session();
  const all = await settled(last.train(1, { ...overfitting, keepBest: false }, list(names), onEvents()));
  expect(all).toMatchObject({ step: 1000, model: { step: 1000 } });
  expect(all).not.toHaveProperty("kept");
  expect((await settled(last.evaluate(12, {}, undefined))).validation).toBeGreaterThan(kept.validation + 0.1);
  expect(all.copies).toBeGreaterThan(result.copies);
  expect(all.losses).toEqual(result.losses);

  // After a stop, resume goes on from the last weights, not from the kept ones.
  const stopped = new Session();
  const first = await settled(
    stopped.train(
      1,
      overfitting,
      list(names),
      onEvents(({ step }) => step > 200 && stopped.stop(1)),
    ),
  );
  const rest = await settled(stopped.resume(2, {}, undefined, onEvents()));
  expect([...first.losses, ...rest.losses]).toEqual([...result.losses]);
  expect(rest.kept).toEqual(kept);
  expect(await settled(stopped.exportONNX(10, {}))).toEqual(file);

  // A file has the kept weights with their moments, so a training goes on from their step.
  await settled(stopped.load(11, file.slice(), {}, list(names)));
  const again = await settled(stopped.resume(3, {}, undefined, onEvents()));
  expect(again.losses).toEqual(result.losses.slice(kept.step));
  expect(again.kept).toEqual(kept);
  expect(await settled(stopped.exportONNX(10, {}))).toEqual(file);
});

test("patience ends a training early, and resume goes on", async () => {
  const session = new Session();
  const progress: Progress[] = [];
  const options = { ...overfitting, patience: 100 };
  const result = await settled(
    session.train(
      1,
      options,
      list(names),
      onEvents((p) => progress.push(p)),
    ),
  );
  const { step, kept } = result;
  if (!kept) return expect.unreachable();
  expect(step).toBeLessThan(1000);
  expect(step).toBeGreaterThanOrEqual(kept.step + 100);
  expect(result).toMatchObject({ steps: step, stopped: false });
  expect(result.losses).toHaveLength(step);
  expect(progress.at(-1)).toMatchObject({ step, steps: step, secondsLeft: 0 });
  const rest = await settled(session.resume(2, { steps: 1000 }, undefined, onEvents()));
  expect(rest).toMatchObject({ step: 1000, steps: 1000, kept });
});

test("if the loss explodes, earlier weights are kept with a notice, or train rejects with DIVERGED", async () => {
  const session = new Session();
  // A good rate until step 300, then a rate at which every model diverges.
  const learningRate = { peak: 0.01, decay: "step", final: 200, at: 0.3 } as const;
  const options = { ...overfitting, learningRate };
  const { kept, notices } = await settled(session.train(1, options, list(names), onEvents()));
  expect(kept?.step).toBeLessThanOrEqual(300);
  expect(notices).toEqual([
    expect.stringMatching(/loss ended at \d+.*learningRate is too high. The weights of step \d+/),
  ]);
  for (const change of [{ keepBest: false }, { learningRate: 200 }, { split: [1, 0, 0] as const }])
    await expect(
      settled(session.train(2, { ...options, ...change }, list(names), onEvents())),
    ).rejects.toThrow(/DIVERGED.*guessing at random has 3\.\d.*learningRate/);
  expect(await sampled(session, { maxLength: 5 }, 2)).toHaveLength(2);
});

test("five words are enough to train, and a notice says how little that is worth", async () => {
  const session = new Session();
  const words = ["emma", "olivia", "ava", "isabella", "sophia"];
  const result = await settled(session.train(1, {}, list(words), onEvents()));
  expect(result).not.toHaveProperty("kept");
  expect(result.words.split).toEqual({ train: 4, validation: 0, test: 1 });
  expect(result.notices[0]).toMatch(/only 5 words.*none is left for validation/);
  expect(await sampled(session, {}, 3)).toHaveLength(3);
});

test("every call refuses a word with half of a surrogate pair, and the model stays", async () => {
  const session = new Session();
  await settled(session.train(1, { steps: 5, model }, list(names), onEvents()));
  const half = () => sentByPage(["emma", "ab\ud83d"]);
  const half16 = /INVALID_WORDS.*word 1 is "ab\ufffd".*half of a surrogate pair/;
  for (const call of [
    () => session.train(2, { steps: 5, model }, half(), onEvents()),
    () => session.resume(3, { steps: 9 }, half(), onEvents()),
    () => session.score(4, {}, half(), onPart()),
    () => session.evaluate(12, {}, half()),
    () => session.sample(5, { novel: true }, 1, half(), onPart()),
  ])
    await expect(settled<unknown>(call())).rejects.toThrow(half16);
  await expect(sampled(session, { prefix: "ab\ud83d" }, 1)).rejects.toThrow(
    'prefix is "ab\\ud83d", and the model never saw "\\ud83d"',
  );
  expect(await sampled(session, {}, 3)).toHaveLength(3);
});

test("sampled words can be given back as input unchanged, whatever the training words are", async () => {
  // Leave out refused characters, which have their own tests: line breaks and unreadable characters.
  const word = fc
    .oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.string({ unit: fc.constantFrom("e", "é", "\u0301", " ", "\u00a0", "o"), maxLength: 5 }),
    )
    .filter(isReadable);
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 8, maxLength: 40 }), async (words) => {
      const session = new Session();
      const options = { steps: 3, model: { contextLength: 2, embedding: 2, hidden: 4 } };
      await settled(session.train(1, options, sentByPage(["ab", ...words]), onEvents()));
      const out = await sampled(session, { maxLength: 5, seed: 1 }, 50);
      const back: string[] = [];
      const take = onPart<ScoredWords>((part) => back.push(...part.words));
      await settled(session.score(3, {}, sentByPage(out), take));
      expect(back).toEqual(out);
    }),
    // No shrinking, because it would exceed the test's time limit.
    { numRuns: 15, endOnFailure: true },
  );
});
