import { runInNewContext } from "node:vm";
import { reactive, ref } from "@vue/reactivity";
import { observable } from "mobx";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import makemore, { Makemore, MakemoreError, type MakemoreErrorCode } from "../../src";
import type { EncodedWords, TrainEvent, WorkerAPI, WorkerConfiguration } from "../../src/protocol";
import type { Losses, ModelInfo, Progress } from "../../src/types";
import { receiveWords } from "../../worker/data/receive";
import { ending, FakeWorker, sampling } from "./fakeWorker";
import { model, progress, result } from "./training";

/** Returns the text of the words as the worker receives it. */
const textOf = async (words: EncodedWords) => (await receiveWords(words, new AbortController().signal)).text;

/** Waits until messages and their answers have arrived: each turn of the event loop delivers some, however busy it is. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
};

beforeEach(() => {
  FakeWorker.instances = [];
  FakeWorker.api = {};
  vi.stubGlobal("Worker", FakeWorker);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function lastWorker(): FakeWorker {
  const worker = FakeWorker.instances.at(-1);
  if (!worker) throw new Error("no worker was started");
  return worker;
}

test("importing and constructing start no worker; the default export is a shared instance", () => {
  new Makemore();
  expect(makemore).toBeInstanceOf(Makemore);
  expect(makemore.model).toBeUndefined();
  expect(FakeWorker.instances).toHaveLength(0);
});

test("train sends words as bytes and options unchanged, and reports the worker's progress", async () => {
  let text = "";
  const train = vi.fn(
    async (_id: number, _o: unknown, words: EncodedWords, onEvent: (event: TrainEvent) => void) => {
      text = await textOf(words);
      onEvent({ model, measurements: new Map() });
      onEvent({ progress });
      await settle();
      return { value: result };
    },
  );
  FakeWorker.api = { train };
  const mm = new Makemore();
  const seen: Progress[] = [];
  let during: ModelInfo | undefined;
  const trained = await mm.train(new Set([" emma ", "olivia"]), {
    steps: 2,
    onProgress: (p) => {
      seen.push(p);
      during = mm.model;
    },
  });
  expect(trained).toEqual(result);
  expect(seen).toEqual([progress]);
  expect(during).toEqual({ ...model, step: progress.step });
  expect(mm.model?.step).toBe(2);
  expect(train.mock.calls[0]?.[1]).toEqual({ steps: 2 });
  expect(text).toBe("emma\nolivia\n");
  expect(lastWorker().options).toEqual({ type: "module" });
  mm.dispose();
});

test("one string has one word per line, like makemore's text file", async () => {
  const sent: [text: string, isText: boolean][] = [];
  FakeWorker.api = {
    train: async (_id, _options, words) => {
      sent.push([await textOf(words), words.isText]);
      return { value: result };
    },
  };
  const mm = new Makemore();
  await mm.train("emma\nolivia\n");
  expect(sent).toEqual([["emma\nolivia\n", true]]);
  mm.dispose();
});

test.each([
  [["emma", 7], /word 1 is 7/],
  [["emma", null], /word 1 is null/],
  [["em\nma"], /word 0 is "em\\nma".*one line/],
  [[], /there are no words/],
  [42, /the words are 42/],
  [[{}], /word 0 is {}/],
  [null, /null/],
  [Promise.resolve([]), /the words are a Promise: await it/],
  [new Response("emma"), /the words are a Response: give await response.text\(\)/],
  [new TextEncoder().encode("emma"), /the words are an Uint8Array: decode it/],
  [new ArrayBuffer(3), /the words are an ArrayBuffer: decode it/],
  [new Map([["emma", 1]]), /the words are a Map: give its keys/],
  [(async function* () {})(), /the words are an AsyncGenerator: collect it/],
  [["em\u2028ma"], /word 0 is "em\u2028ma".*one line/],
  [["em\rma"], /word 0 is "em\\rma".*one line/],
  [["em\u0085ma"], /one line/],
])("words %s are refused", async (words, message) => {
  const mm = new Makemore();
  await expect(mm.train(words as string[])).rejects.toMatchObject({
    name: "MakemoreError",
    code: "INVALID_WORDS",
    message: expect.stringMatching(message),
  });
  mm.dispose();
});

test("a worker's refusal arrives as a MakemoreError with its code", async () => {
  FakeWorker.api = { sample: async () => ({ error: { code: "NO_MODEL", message: "no model yet" } }) };
  const mm = new Makemore();
  await expect(mm.sample()).rejects.toMatchObject({
    name: "MakemoreError",
    code: "NO_MODEL",
    message: "no model yet",
  });
  mm.dispose();
});

test("an option that cannot be cloned is refused as an option", async () => {
  const mm = new Makemore();
  await expect(mm.train(["ab"], { seed: (() => 1) as unknown as number })).rejects.toMatchObject({
    code: "INVALID_OPTION",
  });
  await expect(mm.train(["ab"], { onProgress: 3 as never })).rejects.toMatchObject({
    code: "INVALID_OPTION",
  });
  await expect(mm.train(["ab"], { signal: {} as never })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  mm.dispose();
});

test("if onProgress throws, training stops, and train rejects with the thrown error", async () => {
  const abort = vi.fn();
  let end: () => void = () => {};
  FakeWorker.api = {
    abort: ending((id) => {
      abort(id);
      end();
    }),
    train: async (_id, _options, _words, onEvent) => {
      onEvent({ progress });
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      // The worker does this at the end of every training.
      onEvent({ model: result.model, measurements: new Map() });
      await settle();
      return { value: result };
    },
  };
  const mm = new Makemore();
  const boom = new Error("boom");
  const call = mm.train(["ab"], {
    onProgress: () => {
      throw boom;
    },
  });
  await expect(call).rejects.toBe(boom);
  expect(abort).toHaveBeenCalledOnce();
  expect(mm.model?.step).toBe(2);
  mm.dispose();
});

test("a progress that arrives after the result is ignored", async () => {
  FakeWorker.api = {
    train: async (_id, _options, _words, onEvent) => {
      setTimeout(() => onEvent({ progress }), 5);
      return { value: result };
    },
  };
  const mm = new Makemore();
  const onProgress = vi.fn();
  await mm.train(["ab"], { onProgress });
  await settle();
  expect(onProgress).not.toHaveBeenCalled();
  expect(mm.model).toEqual(result.model);
  mm.dispose();
});

test("after an abort, onProgress is called no more", async () => {
  FakeWorker.api = {
    train: async (_id, _options, _words, onEvent) => {
      onEvent({ progress });
      await settle();
      onEvent({ progress });
      await settle();
      return { value: result };
    },
  };
  const mm = new Makemore();
  const controller = new AbortController();
  const onProgress = vi.fn(() => controller.abort(new Error("enough")));
  await expect(mm.train(["ab"], { onProgress, signal: controller.signal })).rejects.toThrow("enough");
  expect(onProgress).toHaveBeenCalledTimes(1);
  mm.dispose();
});

test("a call leaves no listener on its signal", async () => {
  FakeWorker.api = { sample: sampling(["ok"]) };
  const { signal } = new AbortController();
  const added = vi.spyOn(signal, "addEventListener");
  const removed = vi.spyOn(signal, "removeEventListener");
  const mm = new Makemore();
  await mm.sample(1, { signal });
  expect(added).toHaveBeenCalled();
  expect(removed.mock.calls).toEqual(added.mock.calls);
  mm.dispose();
});

test("a word that is refused while the words are being sent rejects the call", async () => {
  FakeWorker.api = { train: () => new Promise(() => {}) };
  const mm = new Makemore();
  function* slowly() {
    for (let i = 0; i < 200; i++) {
      // All words take longer than the slice of time that is read at once.
      for (const end = performance.now() + 0.5; performance.now() < end; );
      yield "ab";
    }
    yield 7;
  }
  await expect(mm.train(slowly() as Iterable<string>)).rejects.toMatchObject({
    code: "INVALID_WORDS",
    message: expect.stringContaining("word 200 is 7"),
  });
  mm.dispose();
});

test("a call that is aborted before the worker is ready is never sent", async () => {
  const train = vi.fn(async () => ({ value: result }));
  let isReady = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  FakeWorker.api = {
    configure: async () => {
      await ready;
      return { value: undefined };
    },
    train,
    sample: sampling(["ok"]),
  };
  const mm = new Makemore();
  const controller = new AbortController();
  const training = mm.train(["ab"], { signal: controller.signal });
  controller.abort(new Error("never mind"));
  isReady();
  await expect(training).rejects.toThrow("never mind");
  expect(await mm.sample(1)).toEqual(["ok"]);
  expect(train).not.toHaveBeenCalled();
  mm.dispose();
});

test("a signal that is already aborted starts nothing", async () => {
  const mm = new Makemore();
  const reason = new Error("never mind");
  await expect(mm.train(["ab"], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await expect(mm.sample(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(FakeWorker.instances).toHaveLength(0);
});

test("a signal stops a training, which rejects with its reason and keeps what was learned", async () => {
  let end: () => void = () => {};
  FakeWorker.api = {
    abort: ending(() => end()),
    train: async (_id, _options, _words, onEvent) => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      onEvent({ model: result.model, measurements: new Map() });
      await settle();
      return { value: result };
    },
  };
  const mm = new Makemore();
  const controller = new AbortController();
  const call = mm.train(["ab"], { signal: controller.signal });
  await settle();
  controller.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  expect(mm.model).toEqual(result.model);
  mm.dispose();
});

test("options that are not an object, or cannot be cloned, are refused before a worker starts", async () => {
  const mm = new Makemore();
  const none = null as never;
  for (const call of [
    () => mm.train(["ab"], none),
    () => mm.resume(none),
    () => mm.sample(1, none),
    () => mm.exportONNX(none),
    () => mm.train(["ab"], 5 as never),
    () => mm.train(["ab"], { onprogress: () => {} } as never),
    () => mm.train(["ab"], { steps: 10n } as never),
    () => mm.train(["ab"], { signal: Symbol("no") } as never),
  ])
    await expect(call()).rejects.toMatchObject({ name: "MakemoreError", code: "INVALID_OPTION" });
  expect(() => new Makemore(none)).toThrow("the options are null");
  await expect(new Makemore({ assetsURL: "http://[" }).sample()).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringContaining("http://["),
  });
  expect(FakeWorker.instances).toHaveLength(0);
});

test("words are read at once, so later changes of the list do not matter", async () => {
  let text = "";
  FakeWorker.api = {
    train: async (_id, _options, words) => {
      text = await textOf(words);
      return { value: result };
    },
  };
  const mm = new Makemore();
  const words = ["emma"];
  const call = mm.train(words);
  words.length = 0;
  await call;
  expect(text).toBe("emma\n");
  mm.dispose();
});

test("an abort ends the iterator of words that are still being read", async () => {
  let ended = false;
  function* endless() {
    try {
      for (;;) yield "emma";
    } finally {
      ended = true;
    }
  }
  FakeWorker.api = { train: () => new Promise(() => {}) };
  const mm = new Makemore();
  const controller = new AbortController();
  const training = mm.train(endless(), { signal: controller.signal });
  await settle();
  expect(ended).toBe(false);
  controller.abort(new Error("enough"));
  await expect(training).rejects.toThrow("enough");
  expect(ended).toBe(true);
  mm.dispose();
});

test("if the browser refuses the worker, the call rejects with LOAD_FAILED and its URL", async () => {
  vi.stubGlobal(
    "Worker",
    class {
      constructor() {
        throw new DOMException("refused by policy", "SecurityError");
      }
    },
  );
  await expect(new Makemore({ workerURL: "/worker.js" }).sample()).rejects.toMatchObject({
    code: "LOAD_FAILED",
    message: expect.stringMatching(/\/worker\.js.*refused by policy.*worker-src/),
  });
});

test("a worker that never answers is terminated after a minute", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  FakeWorker.api = { configure: () => new Promise(() => {}) };
  const mm = new Makemore();
  const call = expect(mm.sample()).rejects.toMatchObject({
    code: "LOAD_FAILED",
    message: expect.stringContaining("not this package's"),
  });
  await vi.advanceTimersByTimeAsync(61_000);
  await call;
  expect(lastWorker().terminated).toBe(true);
});

test("a late report of a worker's death does not affect the next worker", async () => {
  const granted: (() => void)[] = [];
  vi.stubGlobal("navigator", {
    locks: {
      request: async (_: string, callback: () => void) => void granted.push(callback),
    },
  });
  FakeWorker.api = { sample: () => new Promise(() => {}) };
  const mm = new Makemore();
  const lost = expect(mm.sample()).rejects.toMatchObject({ code: "WORKER_FAILED" });
  await settle();
  lastWorker().fail("boom");
  await lost;
  FakeWorker.api = {
    load: async () => ({ value: model }),
    sample: sampling(["again"]),
  };
  await mm.load(new Uint8Array(1));
  // Terminating the first worker freed its lock.
  granted[0]?.();
  expect(mm.model).toEqual(model);
  await expect(mm.sample(1)).resolves.toEqual(["again"]);
  expect(FakeWorker.instances).toHaveLength(2);
  mm.dispose();
});

test("if the browser refuses locks, everything else works", async () => {
  vi.stubGlobal("navigator", {
    locks: {
      request: async () => {
        throw new DOMException("storage is blocked", "SecurityError");
      },
    },
  });
  FakeWorker.api = { sample: sampling(["ok"]) };
  const mm = new Makemore();
  await expect(mm.sample(1)).resolves.toEqual(["ok"]);
  mm.dispose();
});

test("dispose rejects running and later calls, and ends the worker", async () => {
  FakeWorker.api = { train: () => new Promise(() => {}), sample: () => new Promise(() => {}) };
  const mm = new Makemore();
  const calls = [mm.train(["ab"]), mm.sample()];
  const outcomes = Promise.allSettled(calls);
  await settle();
  mm.dispose();
  for (const { status, reason } of (await outcomes) as PromiseRejectedResult[]) {
    expect(status).toBe("rejected");
    expect(reason).toMatchObject({ code: "DISPOSED" });
  }
  expect(lastWorker().terminated).toBe(true);
  for (const call of [
    () => mm.train(["ab"]),
    () => mm.resume(),
    () => mm.sample(),
    () => mm.words().next(),
    () => mm.next(),
    () => mm.score(["ab"]),
    () => mm.classify(["ab"]),
    () => mm.evaluate(),
    () => mm.exportONNX(),
    () => mm.load(new Uint8Array(1)),
    () => mm.save("towns"),
  ])
    await expect(call()).rejects.toMatchObject({ code: "DISPOSED" });
  mm.dispose();
});

test("the end of a using block disposes", async () => {
  FakeWorker.api = { sample: sampling(["ok"]) };
  for (const end of [Symbol.dispose, Symbol.asyncDispose] as const) {
    const mm = new Makemore();
    await mm.sample(1);
    await mm[end]();
    expect(lastWorker().terminated).toBe(true);
    await expect(mm.sample(1)).rejects.toMatchObject({ code: "DISPOSED" });
  }
});

test("score and classify send the words, and return the parts of the answer in order", async () => {
  const sent: string[] = [];
  const classified = [
    { word: "emma", group: "girls", probabilities: { girls: 0.75, boys: 0.25 } },
    { word: "liam", group: "boys", probabilities: { girls: 0.5, boys: 0.5 } },
  ];
  FakeWorker.api = {
    score: async (_id, options, words, onPart) => {
      sent.push(`${JSON.stringify(options)} ${await textOf(words)}`);
      // The surprises of e, the end, l, i, and the end.
      await onPart({ words: ["e"], surprises: Float32Array.of(1, 2) });
      await onPart({ words: ["li"], surprises: Float32Array.of(4, 8, 6) });
      return { value: undefined };
    },
    classify: async (_id, _options, words, onPart) => {
      sent.push(await textOf(words));
      for (const part of classified) await onPart([part]);
      return { value: undefined };
    },
  };
  const mm = new Makemore();
  expect(await mm.score(["e", "li"], { group: "girls" })).toEqual([
    {
      word: "e",
      logLikelihood: -3,
      perCharacter: -1.5,
      surprises: [
        { character: "e", surprise: 1 },
        { character: "", surprise: 2 },
      ],
    },
    {
      word: "li",
      logLikelihood: -18,
      perCharacter: -6,
      surprises: [
        { character: "l", surprise: 4 },
        { character: "i", surprise: 8 },
        { character: "", surprise: 6 },
      ],
    },
  ]);
  expect(await mm.classify("emma\nliam")).toEqual(classified);
  expect(sent).toEqual(['{"group":"girls"} e\nli\n', "emma\nliam"]);
  mm.dispose();
});

test("the next worker gets the measurements of the one before", async () => {
  const measured = [{ backend: "wasm" as const, device: "simd", msPerStep: 1 }];
  const configure = vi.fn(async (_: WorkerConfiguration) => ({ value: undefined }));
  FakeWorker.api = {
    configure,
    train: async (_id, _options, _words, onEvent) => {
      onEvent({ model, measurements: new Map([["a model", measured]]) });
      await settle();
      return { value: result };
    },
  };
  for (let i = 0; i < 2; i++) {
    const mm = new Makemore();
    await mm.train(["ab"]);
    mm.dispose();
  }
  const [first, second] = configure.mock.calls.map(([{ measurements }]) => measurements);
  expect(first?.has("a model")).toBe(false);
  expect(second?.get("a model")).toEqual(measured);
});

test.each([
  ["second", 1],
  ["first", 0],
])(
  "after 8 s without an answer a second worker starts; when the %s answers, the other ends",
  async (_, by) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const answers: ((outcome: { value: undefined }) => void)[] = [];
    FakeWorker.api = {
      configure: () => new Promise((resolve) => answers.push(resolve)),
      sample: sampling(["ok"]),
    };
    const mm = new Makemore();
    const call = mm.sample(1);
    await vi.advanceTimersByTimeAsync(7900);
    expect(FakeWorker.instances).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeWorker.instances).toHaveLength(2);
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    answers[by]?.({ value: undefined });
    await expect(call).resolves.toEqual(["ok"]);
    expect(FakeWorker.instances.map(({ terminated }) => terminated)).toEqual([by === 1, by === 0]);
    await vi.advanceTimersByTimeAsync(61_000);
    await expect(mm.sample(1)).resolves.toEqual(["ok"]);
    mm.dispose();
    expect(FakeWorker.instances.every(({ terminated }) => terminated)).toBe(true);
    vi.useRealTimers();
  },
);

test("if the first worker fails after the second has started, the second may still answer", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("fetch", async () => new Response("", { status: 503 }));
  const answers: ((outcome: { value: undefined }) => void)[] = [];
  FakeWorker.api = {
    configure: () => new Promise((resolve) => answers.push(resolve)),
    sample: sampling(["ok"]),
  };
  const [answered, failed] = [new Makemore(), new Makemore()];
  const calls = [answered, failed].map((mm) => mm.sample(1));
  await vi.advanceTimersByTimeAsync(8100);
  await vi.waitFor(() => expect(answers).toHaveLength(4));
  const [first, other, second, otherSecond] = FakeWorker.instances;
  for (const worker of [first, other]) worker?.fail("");
  await vi.advanceTimersByTimeAsync(100);
  expect([second, otherSecond]).toMatchObject([{ terminated: false }, { terminated: false }]);
  answers[2]?.({ value: undefined });
  await expect(calls[0]).resolves.toEqual(["ok"]);
  // If the second fails as well, nothing is left to wait for.
  otherSecond?.fail("");
  await expect(calls[1]).rejects.toMatchObject({
    code: "LOAD_FAILED",
    message: expect.stringContaining("the server answered 503"),
  });
  answered.dispose();
  vi.useRealTimers();
});

test("if the worker does not load, the call rejects with LOAD_FAILED and its URL, and the next one tries again", async () => {
  // The page fetches the URL to find the reason.
  const fetched = vi.fn(async () => new Response("", { status: 404 }));
  vi.stubGlobal("fetch", fetched);
  FakeWorker.api = { configure: () => new Promise(() => {}) };
  const mm = new Makemore({ workerURL: "/nowhere/worker.js" });
  const calls = Promise.allSettled([mm.train(["ab"]), mm.sample()]);
  await settle();
  lastWorker().fail("");
  for (const { reason } of (await calls) as PromiseRejectedResult[])
    expect(reason).toMatchObject({
      code: "LOAD_FAILED",
      message: expect.stringMatching(/\/nowhere\/worker\.js did not start: the server answered 404/),
    });
  expect(fetched).toHaveBeenCalledTimes(1);
  FakeWorker.api = { sample: sampling(["ok"]) };
  await expect(mm.sample(1)).resolves.toEqual(["ok"]);
  expect(FakeWorker.instances).toHaveLength(2);
  mm.dispose();
});

test("if Vite's optimizer moved the main file away from the worker, LOAD_FAILED names the setting", async () => {
  vi.stubGlobal("fetch", async () => new Response("", { status: 404 }));
  FakeWorker.api = { configure: () => new Promise(() => {}) };
  const mm = new Makemore({ workerURL: "/base/node_modules/.vite/deps/makemore-web/worker.js" });
  const call = mm.sample();
  await settle();
  lastWorker().fail("");
  await expect(call).rejects.toMatchObject({
    code: "LOAD_FAILED",
    message: expect.stringContaining(
      'optimizer left it behind: set optimizeDeps: { exclude: ["makemore-web"] }',
    ),
  });
});

test("if the worker throws, every running call rejects with its message, and its model is gone", async () => {
  FakeWorker.api = {
    load: async () => ({ value: model }),
    train: () => new Promise(() => {}),
    sample: () => new Promise(() => {}),
  };
  const mm = new Makemore();
  await mm.load(new Uint8Array(1));
  expect(mm.model).toEqual(model);
  const calls = Promise.allSettled([mm.train(["ab"]), mm.sample()]);
  await settle();
  lastWorker().fail("Uncaught RangeError: out of memory");
  for (const { reason } of (await calls) as PromiseRejectedResult[])
    expect(reason).toMatchObject({
      code: "WORKER_FAILED",
      message: expect.stringContaining("out of memory"),
    });
  expect(mm.model).toBeUndefined();
  mm.dispose();
});

/** Makes the next message to the worker unreadable. */
function loseRequest(worker: FakeWorker): void {
  worker.lose = "request";
}
/** Makes the next message from the worker unreadable. */
function loseAnswer(worker: FakeWorker): void {
  worker.lose = "answer";
}

test.each([
  ["to the worker", loseRequest],
  ["of the worker", loseAnswer],
])("a message %s that cannot be read rejects its call, and no other", async (_, lose) => {
  const aborted: number[] = [];
  let losses: (losses: Losses) => void = () => {};
  FakeWorker.api = {
    load: async () => ({ value: model }),
    evaluate: () =>
      new Promise((resolve) => {
        losses = (value) => resolve({ value });
      }),
    next: async () => ({ value: [] }),
    sample: sampling(["again"]),
    abort: ending((id) => aborted.push(id)),
  };
  const mm = new Makemore();
  await mm.load(new Uint8Array(1));
  const evaluating = mm.evaluate();
  await settle();
  lose(lastWorker());
  const next = mm.next("a");
  const after = mm.sample(1);
  await expect(next).rejects.toMatchObject({
    name: "MakemoreError",
    code: "WORKER_FAILED",
    message: expect.stringContaining("was lost"),
  });
  await expect(after).resolves.toEqual(["again"]);
  await settle();
  // The worker may still be running the call, so the page aborts it.
  expect(aborted).toEqual([3]);
  expect(lastWorker().terminated).toBe(false);
  expect(mm.model).toEqual(model);
  const found = { train: 1, validation: 2, test: 3 };
  losses(found);
  await expect(evaluating).resolves.toEqual(found);
  mm.dispose();
});

test.each([
  ["load", (mm: Makemore) => mm.load(new Uint8Array(1))],
  ["train", (mm: Makemore) => mm.train(["ab"])],
  ["resume", (mm: Makemore) => mm.resume()],
])("if the answer of %s is lost, the page has the model that the worker has", async (_, call) => {
  let end = () => {};
  const answer = <T>(value: T) =>
    new Promise<{ value: T }>((resolve) => {
      end = () => resolve({ value });
    });
  const other = { ...model, step: 7, parameters: 123 };
  let loaded: ModelInfo = model;
  FakeWorker.api = {
    load: () => answer(loaded),
    train: () => answer({ ...result, model: other }),
    resume: () => answer({ ...result, model: other }),
    abort: async () => ({ value: other }),
  };
  const mm = new Makemore();
  const first = mm.load(new Uint8Array(1));
  await settle();
  end();
  await first;
  expect(mm.model).toEqual(model);
  loaded = other;
  const calling = call(mm);
  await settle();
  lastWorker().lose = "answer";
  end();
  await expect(calling).rejects.toMatchObject({ code: "WORKER_FAILED" });
  expect(mm.model).toEqual(other);
  mm.dispose();
});

test.each([
  ["that the worker cannot read", loseRequest],
  [
    "that cannot be sent",
    (worker: FakeWorker) =>
      vi.spyOn(worker, "postMessage").mockImplementationOnce(() => {
        throw new DOMException("out of memory", "DataCloneError");
      }),
  ],
])("an abort or a stop %s is sent again", async (_, lose) => {
  const told: string[] = [];
  let end: () => void = () => {};
  FakeWorker.api = {
    train: () =>
      new Promise((resolve) => {
        end = () => resolve({ value: result });
      }),
    sample: () => new Promise(() => {}),
    abort: ending(() => told.push("abort")),
    stop: ending(() => {
      told.push("stop");
      end();
    }),
  };
  const mm = new Makemore();
  const training = mm.train(["ab"]);
  await settle();
  lose(lastWorker());
  mm.stop();
  await training;
  await vi.waitFor(() => expect(told.at(-1)).toBe("stop"));
  const controller = new AbortController();
  const sampling = mm.sample(1, { signal: controller.signal });
  await settle();
  lose(lastWorker());
  controller.abort(new Error("by the user"));
  await expect(sampling).rejects.toThrow("by the user");
  await vi.waitFor(() => expect(told.at(-1)).toBe("abort"));
  mm.dispose();
});

test("an abort that was lost is sent again before the next call", async () => {
  const told: string[] = [];
  FakeWorker.api = {
    train: () => new Promise(() => {}),
    load: async () => {
      told.push("load");
      return { value: model };
    },
    abort: ending(() => told.push("abort")),
  };
  const mm = new Makemore();
  const controller = new AbortController();
  const training = mm.train(["ab"], { signal: controller.signal });
  await settle();
  lastWorker().lose = "all";
  controller.abort(new Error("by the user"));
  await expect(training).rejects.toThrow("by the user");
  lastWorker().lose = undefined;
  await mm.load(new Uint8Array(1));
  expect(told.slice(0, told.indexOf("load") + 1)).toContain("abort");
  mm.dispose();
});

test("a worker that can read nothing any more rejects the calls in flight", async () => {
  FakeWorker.api = { evaluate: () => new Promise(() => {}), sample: sampling(["again"]) };
  const mm = new Makemore();
  await mm.sample(1);
  lastWorker().lose = "all";
  await expect(mm.evaluate()).rejects.toMatchObject({ code: "WORKER_FAILED" });
  lastWorker().lose = undefined;
  await expect(mm.sample(1)).resolves.toEqual(["again"]);
  mm.dispose();
});

test("words that cannot be sent, and an answer that cannot be cloned, give MakemoreErrors", async () => {
  FakeWorker.api = {
    evaluate: async () => {
      throw new TypeError("Unserializable return value");
    },
  };
  const mm = new Makemore();
  // Take the prototype from a channel, because happy-dom has another class named MessagePort.
  const ports = Object.getPrototypeOf(new MessageChannel().port1) as MessagePort;
  const post = vi.spyOn(ports, "postMessage").mockImplementationOnce(() => {
    throw new DOMException("out of memory", "DataCloneError");
  });
  await expect(mm.train(["ab"])).rejects.toMatchObject({
    name: "MakemoreError",
    code: "WORKER_FAILED",
    message: expect.stringContaining("the words cannot be sent"),
  });
  post.mockRestore();
  await expect(mm.evaluate()).rejects.toMatchObject({
    name: "MakemoreError",
    code: "WORKER_FAILED",
    message: expect.stringContaining("Unserializable"),
  });
  mm.dispose();
});

test("if the worker is killed, it releases its lock, and running calls reject", async () => {
  let killed: () => void = () => {};
  vi.stubGlobal("navigator", {
    locks: {
      request: (_name: string, granted: () => void) => {
        killed = granted;
        return new Promise(() => {});
      },
    },
  });
  FakeWorker.api = { train: () => new Promise(() => {}) };
  const mm = new Makemore();
  const call = mm.train(["ab"]);
  call.catch(() => {});
  await settle();
  killed();
  await expect(call).rejects.toMatchObject({ code: "WORKER_FAILED" });
  mm.dispose();
});

test("a refused constructor option rejects the first call", async () => {
  FakeWorker.api = {
    configure: async () => ({ error: { code: "INVALID_OPTION", message: "backend is cuda" } }),
  };
  const mm = new Makemore({ backend: "cuda" as "wasm" });
  await expect(mm.train(["ab"])).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: "backend is cuda",
  });
  expect(lastWorker().terminated).toBe(true);
});

test("load copies the given bytes, so the caller keeps them", async () => {
  FakeWorker.api = { load: async () => ({ value: model }) };
  const mm = new Makemore();
  const bytes = new Uint8Array([1, 2, 3]);
  await mm.load(bytes);
  await mm.load(bytes.buffer);
  await mm.load(new Blob([bytes]));
  expect(bytes).toEqual(new Uint8Array([1, 2, 3]));
  expect(mm.model).toEqual(model);
  for (const [file, message] of [
    ["file.onnx", /"file.onnx": fetch what it names/],
    [Promise.resolve(bytes), /a Promise: await it/],
    [[1, 2, 3], /\[1,2,3\]; it must be/],
    [null, /null/],
    [undefined, /undefined/],
    [
      { arrayBuffer: () => Promise.reject(new Error("the disk is gone")) },
      /cannot be read: .*the disk is gone/,
    ],
  ] as const)
    await expect(mm.load(file as never)).rejects.toMatchObject({
      code: "INVALID_ONNX",
      message: expect.stringMatching(message),
    });
  mm.dispose();
});

test("a load that is aborted while its file is read does not reach the worker", async () => {
  const load = vi.fn(async () => ({ value: model }));
  FakeWorker.api = { load };
  const mm = new Makemore();
  const controller = new AbortController();
  const file = new Blob([]);
  file.arrayBuffer = async () => {
    controller.abort(new Error("never mind"));
    return new ArrayBuffer(1);
  };
  await expect(mm.load(file, { signal: controller.signal })).rejects.toThrow("never mind");
  await settle();
  expect(load).not.toHaveBeenCalled();
  expect(mm.model).toBeUndefined();
  mm.dispose();
});

test("values from another realm are accepted", async () => {
  const load = vi.fn(async (_id: number, _onnx: Uint8Array) => ({ value: model }));
  FakeWorker.api = { load, sample: sampling(["ok"]) };
  const mm = new Makemore();
  const theirs: { view: Uint8Array; data: DataView; buffer: ArrayBuffer; options: object; words: string[] } =
    runInNewContext(`({
      view: new Uint8Array([0, 1, 2, 3, 0]).subarray(1, 4),
      data: new DataView(Uint8Array.of(0, 1, 2, 3).buffer, 1),
      buffer: Uint8Array.of(1, 2, 3).buffer,
      options: { temperature: 0.5 },
      words: ["emma"],
    })`);
  expect(theirs.view).not.toBeInstanceOf(Uint8Array);
  for (const file of [
    theirs.view,
    theirs.data as never,
    theirs.buffer,
    new Response(Uint8Array.of(1, 2, 3)),
  ]) {
    await mm.load(file, { words: theirs.words });
    expect([...(load.mock.calls.at(-1)?.[1] ?? [])]).toEqual([1, 2, 3]);
  }
  await expect(mm.sample(1, theirs.options)).resolves.toEqual(["ok"]);
  // A signal that is not an instance of this realm's class.
  const controller = new AbortController();
  const signal = {
    get aborted() {
      return controller.signal.aborted;
    },
    get reason() {
      return controller.signal.reason;
    },
    addEventListener: controller.signal.addEventListener.bind(controller.signal),
    removeEventListener: controller.signal.removeEventListener.bind(controller.signal),
  } as AbortSignal;
  await expect(mm.sample(1, { signal })).resolves.toEqual(["ok"]);
  const reason = new Error("never mind");
  controller.abort(reason);
  await expect(mm.sample(1, { signal })).rejects.toBe(reason);
  mm.dispose();
});

test("options and words can be Vue's or MobX's reactive state", async () => {
  const texts: string[] = [];
  const train = vi.fn(async (_id: number, _options: unknown, words: EncodedWords) => {
    texts.push(await textOf(words));
    return { value: result };
  });
  FakeWorker.api = { train, sample: sampling(["ok"]), load: async () => ({ value: model }) };
  const options = { model: { folds: [2, 2, 2] }, split: [0.8, 0.1, 0.1] as const, learningRate: { peak: 1 } };
  const state = { options, words: ["emma", "olivia"] };
  for (const { options: proxied, words } of [reactive(state), observable(state)]) {
    const mm = new Makemore(reactive({ backend: "wasm" as const }));
    await mm.train(words, proxied);
    expect(train.mock.calls.at(-1)?.[1]).toEqual(options);
    expect(texts.at(-1)).toBe("emma\nolivia\n");
    await expect(mm.sample(1, reactive({ novel: words }))).resolves.toEqual(["ok"]);
    await mm.load(new Uint8Array(1), observable({ words: ["emma"] }));
    mm.dispose();
  }
});

test("an option that is not plain data is refused, and the error names it", async () => {
  const mm = new Makemore();
  const circle: Record<string, unknown> = { hidden: 3 };
  circle.itself = circle;
  for (const [options, message] of [
    [{ model: { hidden: () => 4 } }, /train: model.hidden is a function; only onProgress/],
    [{ model: [{ type: Symbol("Tanh") }] }, /train: model.0.type is a symbol/],
    [{ split: new Map() }, /train: split is a Map; it must be plain data/],
    [{ seed: Promise.resolve(1) }, /train: seed is a Promise/],
    [{ model: circle }, /model.itself.* is nested too deeply, or contains itself/],
    [{ model: Array(100_000).fill({ type: "Tanh" }) }, /model is a list of 100000 items; at most \d+/],
    [Promise.resolve({}), /the options are a Promise/],
    [reactive({ model: { hidden: 4n } }), /model.hidden is 4n/],
  ] as const)
    await expect(mm.train(["ab"], options as never)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(message),
    });
  await expect(mm.sample(Promise.resolve(3) as never)).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringContaining("count is a Promise"),
  });
  expect(FakeWorker.instances).toHaveLength(0);
});

test("a Makemore works in Vue's and MobX's state; in another proxy its calls are refused with the fix", async () => {
  FakeWorker.api = { sample: sampling(["ok"]) };
  for (const { mm } of [
    reactive({ mm: new Makemore() }),
    { mm: ref(new Makemore()).value },
    observable({ mm: new Makemore() }),
  ]) {
    await expect(mm.sample(1)).resolves.toEqual(["ok"]);
    mm.dispose();
  }
  const proxied = new Proxy(new Makemore(), {});
  const refused = {
    name: "MakemoreError",
    code: "UNSUPPORTED",
    message: expect.stringContaining("markRaw(mm)"),
  };
  for (const call of [
    () => proxied.train(["ab"]),
    () => proxied.resume(),
    () => proxied.sample(),
    () => proxied.words().next(),
    () => proxied.next(),
    () => proxied.score(["ab"]),
    () => proxied.classify(["ab"]),
    () => proxied.evaluate(),
    () => proxied.exportONNX(),
    () => proxied.load(new Uint8Array(1)),
    () => proxied.save("towns"),
    async () => proxied.model,
    async () => proxied.stop(),
    async () => proxied.dispose(),
  ])
    await expect(call()).rejects.toMatchObject(refused);
  const { sample } = new Makemore();
  await expect(sample()).rejects.toMatchObject({ message: expect.stringContaining("mm.sample(…)") });
});

test("if onProgress rejects, training stops, and train rejects with the same error", async () => {
  let end: () => void = () => {};
  FakeWorker.api = {
    abort: ending(() => end()),
    train: async (_id, _options, _words, onEvent) => {
      onEvent({ progress });
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      return { value: result };
    },
  };
  const mm = new Makemore();
  const boom = new Error("boom");
  const onProgress = async () => {
    await settle();
    throw boom;
  };
  await expect(mm.train(["ab"], { onProgress })).rejects.toBe(boom);
  mm.dispose();
});

test("stop ends a training without an error, whenever and however often it is called", async () => {
  const stop = vi.fn();
  const abort = vi.fn();
  // The worker also accepts a stop that comes before its training begins.
  const told = new Set<number>();
  let end: () => void = () => {};
  FakeWorker.api = {
    abort: ending(abort),
    stop: ending((id) => {
      stop(id);
      told.add(id);
      end();
    }),
    train: async (id) => {
      if (!told.has(id))
        await new Promise<void>((resolve) => {
          end = resolve;
        });
      return { value: { ...result, stopped: true } };
    },
  };
  const mm = new Makemore();
  // Without a training, nothing happens and no worker starts.
  mm.stop();
  expect(FakeWorker.instances).toHaveLength(0);
  // Stop at once, before there is a worker.
  const first = mm.train(["ab"]);
  mm.stop();
  await expect(first).resolves.toMatchObject({ stopped: true });
  // Stop twice, in the middle of a training.
  const second = mm.train(["ab"]);
  await settle();
  mm.stop();
  mm.stop();
  await expect(second).resolves.toMatchObject({ stopped: true });
  expect(stop).toHaveBeenCalledTimes(2);
  // A stop after the end does nothing; in particular it does not stop the next training.
  mm.stop();
  const third = mm.train(["ab"]);
  await settle();
  expect(stop).toHaveBeenCalledTimes(2);
  mm.stop();
  await third;
  expect(abort).not.toHaveBeenCalled();
  mm.dispose();
  mm.stop();
});

test("SAMPLING_FAILED has the words found so far; no other error has words", async () => {
  let code: MakemoreErrorCode = "SAMPLING_FAILED";
  FakeWorker.api = {
    sample: async (_id, _options, _count, _novel, onPart) => {
      await onPart(["emma", "olivia"]);
      await onPart(["ava"]);
      return { error: { code, message: "found 3 of 9 words" } };
    },
  };
  const mm = new Makemore();
  const failed = await mm.sample(9).catch((error) => error);
  expect(failed).toBeInstanceOf(MakemoreError);
  expect(failed).toMatchObject({
    code,
    message: "found 3 of 9 words",
    words: ["emma", "olivia", "ava"],
  });
  code = "NO_MODEL";
  const other = await mm.sample(9).catch((error) => error);
  expect(other).toMatchObject({ code });
  expect(other.words).toBeUndefined();
  mm.dispose();
});

test("the worker gets a pattern as its source and flags, and words to avoid as text", async () => {
  const texts: string[] = [];
  const sample = vi.fn<WorkerAPI["sample"]>(async (_id, _options, _count, _novel, onPart, avoid) => {
    if (avoid) texts.push(await textOf(avoid));
    await onPart(["ok"]);
    return { error: { code: "SAMPLING_FAILED", message: "found 1 of 2 words", condition: "avoid" } };
  });
  FakeWorker.api = { sample };
  const mm = new Makemore();
  const pattern = /^[a-m]/gi;
  pattern.lastIndex = 3;
  for (const avoid of [new Set(["bad", " worse "]), "bad\nworse\n", []]) {
    const options = { suffix: "a", minDistance: 2, pattern, avoid, orderBy: "likelihood" as const };
    const failed = await mm.sample(2, options).catch((error) => error);
    expect(failed).toMatchObject({ code: "SAMPLING_FAILED", words: ["ok"], condition: "avoid" });
  }
  expect(sample.mock.calls.map(([, options]) => options)).toEqual(
    new Array(3).fill({
      suffix: "a",
      minDistance: 2,
      orderBy: "likelihood",
      novel: false,
      pattern: { source: "^[a-m]", flags: "gi" },
    }),
  );
  expect(texts).toEqual(["bad\nworse\n", "bad\nworse\n", ""]);
  for (const [options, code, message] of [
    [
      { pattern: "^a" },
      "INVALID_OPTION",
      'sample: pattern is "^a"; it must be a RegExp, such as /^[aeiou]/.',
    ],
    [{ avoid: 3 }, "INVALID_WORDS", "sample: avoid: the words are 3; they must be an iterable of strings"],
    [{ avoid: ["a", 1] }, "INVALID_WORDS", "sample: avoid: word 1 is 1; each word must be a string"],
  ] as const)
    await expect(mm.sample(1, options as never)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  mm.dispose();
});

test("a list of words to exclude may be empty", async () => {
  let text: string | undefined;
  FakeWorker.api = {
    sample: async (_id, _options, _count, novel) => {
      text = novel && (await textOf(novel));
      return { value: undefined };
    },
  };
  const mm = new Makemore();
  await mm.sample(1, { novel: new Set<string>() });
  expect(text).toBe("");
  mm.dispose();
});

/** Makes a worker that answers `words` with numbered words, two per part, until it is aborted; then it has `ended`. */
function wordsWithoutEnd() {
  let stop: (reason: Error) => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = reject;
  });
  stopped.catch(() => {});
  const state = { sent: 0, ended: false };
  FakeWorker.api = {
    abort: ending(() => stop(new Error("aborted"))),
    words: async (_id, _options, _novel, onPart) => {
      try {
        for (;;) await Promise.race([onPart([`${state.sent++}`, `${state.sent++}`]), stopped]);
      } catch {
        state.ended = true;
        return { error: { code: "WORKER_FAILED", message: "it was aborted" } };
      }
    },
  };
  return state;
}

test("words come one at a time, only a few ahead of the reader, until the reader breaks", async () => {
  const worker = wordsWithoutEnd();
  const mm = new Makemore();
  const unread = mm.words();
  expect(FakeWorker.instances).toHaveLength(0);
  await unread.return();
  const words: string[] = [];
  for await (const word of mm.words({ temperature: 0.5 })) {
    words.push(word);
    await settle();
    // The part that is being read, and one that waits.
    expect(worker.sent).toBeLessThanOrEqual(2 * Math.ceil(words.length / 2) + 2);
    expect(worker.ended).toBe(false);
    if (words.length === 5) break;
  }
  expect(words).toEqual(["0", "1", "2", "3", "4"]);
  expect(worker.ended).toBe(true);
  mm.dispose();
});

test("a signal ends the stream of words before the next word, with its reason", async () => {
  const worker = wordsWithoutEnd();
  const mm = new Makemore();
  const controller = new AbortController();
  const words: string[] = [];
  const reading = (async () => {
    for await (const word of mm.words({ signal: controller.signal })) {
      words.push(word);
      controller.abort("enough");
    }
  })();
  await expect(reading).rejects.toBe("enough");
  expect(words).toEqual(["0"]);
  expect(worker.ended).toBe(true);
  mm.dispose();
});

test("a stream of words rejects after dispose, and when the worker finds no more", async () => {
  wordsWithoutEnd();
  const mm = new Makemore();
  const reader = mm.words();
  expect(await reader.next()).toEqual({ done: false, value: "0" });
  mm.dispose();
  expect(await reader.next()).toEqual({ done: false, value: "1" });
  await expect(
    (async () => {
      for await (const _ of reader);
    })(),
  ).rejects.toMatchObject({ code: "DISPOSED" });

  FakeWorker.api = {
    words: async (_id, { novel }, _list, onPart) => {
      await onPart([`novel: ${novel}`]);
      return { error: { code: "SAMPLING_FAILED", message: "no more" } };
    },
  };
  const other = new Makemore();
  const found: string[] = [];
  const all = (async () => {
    for await (const word of other.words({ novel: true })) found.push(word);
  })();
  await expect(all).rejects.toMatchObject({ code: "SAMPLING_FAILED", message: "no more" });
  expect(found).toEqual(["novel: true"]);
  other.dispose();
});

test("open resolves with a Makemore that has the saved model; if it fails, it ends the worker", async () => {
  FakeWorker.api = { open: async (_id, name) => ({ value: { ...model, step: name.length } }) };
  const mm = await Makemore.open("towns");
  expect(mm.model?.step).toBe(5);
  expect(lastWorker().terminated).toBe(false);
  mm.dispose();
  FakeWorker.api = { open: async () => ({ error: { code: "NOT_SAVED", message: "none" } }) };
  await expect(Makemore.open("towns")).rejects.toMatchObject({ code: "NOT_SAVED" });
  expect(lastWorker().terminated).toBe(true);
});

test("saved and remove start a worker with the constructor's options, and end it", async () => {
  FakeWorker.api = { saved: async () => ({ value: [] }), remove: async () => ({ value: true }) };
  const workerURL = "https://example.com/w.js";
  expect(await Makemore.saved({ workerURL })).toEqual([]);
  expect(await Makemore.remove("towns", { workerURL })).toBe(true);
  expect(FakeWorker.instances.map(({ terminated }) => terminated)).toEqual([true, true]);
});

test("without workers and channels, as in Jest's jsdom, every call rejects with UNSUPPORTED", async () => {
  vi.stubGlobal("Worker", undefined);
  vi.stubGlobal("MessageChannel", undefined);
  const mm = new Makemore();
  for (const call of [mm.train(["emma"]), mm.score(["emma"]), mm.sample(1), mm.load(new Uint8Array(8))])
    await expect(call).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("in jsdom, only import it"),
    });
});
