/**
 * Calls with generated bad input. The real page class talks to the real worker session by structured clones. With any
 * input, a call must settle within a second, with a value or with one `MakemoreError` that says what is wrong. The
 * model must stay the same.
 */
import { expose } from "comlink";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { MakemoreError } from "../../src/errors";
import { Makemore } from "../../src/makemore";
import { Session } from "../../worker/session";
import { CASES, LIMIT_MS, SEED } from "./setup";

vi.mock("../../worker/assets", async () => ({
  ...(await (await import("../session")).nodeAssets()),
  setAssetURLs: () => {},
}));

/** A Worker that runs the session in this thread. */
class SessionWorker extends EventTarget {
  readonly #port: MessagePort;
  constructor() {
    super();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => this.dispatchEvent(new MessageEvent("message", { data }));
    expose(new Session(), port2);
    this.#port = port1;
  }
  postMessage(message: unknown, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }
  terminate(): void {
    this.#port.close();
  }
}

vi.stubGlobal("document", { baseURI: "http://localhost/" });
vi.stubGlobal("self", { origin: "http://localhost" });
vi.stubGlobal("navigator", {});
vi.stubGlobal("Worker", SessionWorker);

let mm: Makemore;
let exported: Uint8Array;

beforeAll(async () => {
  mm = new Makemore({ backend: "wasm", assetsURL: "http://localhost/" });
  await mm.train(["emma", "olivia", "ava", "mia", "zoë"], {
    steps: 2,
    model: { contextLength: 4, embedding: 4, hidden: 8 },
  });
  exported = await mm.exportONNX();
});
afterAll(() => {
  mm.dispose();
  vi.unstubAllGlobals();
});

const thrower = (what: unknown) => {
  throw what;
};

/** Values of every JavaScript type, and edge cases such as NaN, null and empty objects. */
const mean: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom<unknown>(
      Number.NaN,
      -0,
      0,
      1,
      -1,
      0.5,
      1e308,
      -1e308,
      5e-324,
      Infinity,
      -Infinity,
      2 ** 53,
      2 ** 32,
      65_536,
      null,
      undefined,
      true,
      false,
      "",
      " ",
      "\0",
      "a\nb",
      "\ud800",
      "\udfff",
      "e\u0301\u0323",
      "\u202eabc",
      "عمر",
      "👩‍👩‍👧",
      "\ufeff",
      "__proto__",
      "x".repeat(1_000_000),
      10n,
      Symbol("s"),
      Symbol.iterator,
      () => 1,
      class A {},
      /(a+)+$/,
      new Date(0),
      new Date(Number.NaN),
      new Error("x"),
      new Map([["a", 1]]),
      new Set([1]),
      new WeakMap(),
      Promise.resolve(1),
      new Uint8Array(3),
      new ArrayBuffer(2),
      Object.create(null),
      Object.freeze({}),
      [],
      [[]],
      {},
      new Array(5),
      new String("a"),
      new Number(3),
      globalThis.performance,
      new URL("http://a/"),
      new AbortController().signal,
      new Proxy({}, {}),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(
        "trap",
        "getter",
        "keys",
        "tag",
        "json",
        "primitive",
        "cycle",
        "deep",
        "revoked",
        "long",
        "proto",
        "symbol",
        "arrayTrap",
        "throwsNothing",
      )
      .map((kind) => new Later(() => strange(kind))),
  },
  {
    weight: 2,
    arbitrary: fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSparseArray: true,
      withTypedArray: true,
      maxDepth: 3,
    }),
  },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
);

/** A value that is made only for the call. fast-check reads the values that it generates, which must not run traps. */
class Later {
  constructor(readonly make: () => unknown) {}
}

function made(value: unknown): unknown {
  if (value instanceof Later) return value.make();
  if (Array.isArray(value) && value.length < 100) return value.map(made);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, made(item)]));
}

/** Makes objects that run code, throw or have unusual results when they are read. */
function strange(kind: string): unknown {
  switch (kind) {
    case "trap":
      return new Proxy(
        {},
        { get: () => thrower(new Error("trap")), ownKeys: () => thrower(new Error("trap")) },
      );
    case "getter":
      return Object.defineProperty({}, "steps", {
        enumerable: true,
        get: () => thrower(new Error("getter")),
      });
    case "keys":
      return new Proxy({ a: 1 }, { ownKeys: () => thrower("keys") });
    case "tag":
      return {
        get [Symbol.toStringTag]() {
          return thrower(new Error("tag"));
        },
      };
    case "json":
      return { toJSON: () => thrower(new Error("json")) };
    case "primitive":
      return { [Symbol.toPrimitive]: () => thrower(new Error("primitive")), type: { toString: null } };
    case "cycle": {
      const cycle: Record<string, unknown> = {};
      cycle.model = cycle;
      cycle.list = [cycle];
      return cycle;
    }
    case "deep": {
      let deep: unknown = "end";
      for (let i = 0; i < 20_000; i++) deep = { layers: [deep] };
      return deep;
    }
    case "revoked": {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    }
    case "long":
      return new Array(2 ** 32 - 1);
    case "proto":
      return JSON.parse('{"__proto__": {"steps": 1}, "constructor": 1}');
    case "symbol":
      return { [Symbol("a")]: 1 };
    case "arrayTrap":
      return new Proxy([1, 2], {
        get: (_, name) => (name === "length" ? 2 : thrower(new Error("arrayTrap"))),
      });
    default:
      return Object.defineProperty({}, "seed", { enumerable: true, get: () => thrower(undefined) });
  }
}

/** Names of options, and names that no option has. */
const names = [
  "model",
  "recipe",
  "steps",
  "batchSize",
  "learningRate",
  "optimizer",
  "order",
  "targets",
  "teacher",
  "seed",
  "split",
  "shuffle",
  "keepBest",
  "patience",
  "column",
  "evalEvery",
  "sampleEvery",
  "diagnostics",
  "prefetch",
  "saveAs",
  "onProgress",
  "signal",
  "words",
  "temperature",
  "topK",
  "topP",
  "prefix",
  "suffix",
  "contains",
  "pattern",
  "avoid",
  "novel",
  "minLength",
  "maxLength",
  "minDistance",
  "unique",
  "group",
  "orderBy",
  "form",
  "trainingState",
  "type",
  "layers",
  "peak",
  "decay",
  "__proto__",
  "constructor",
  "toString",
  "",
  "stepz",
  "a.b",
];
const bag: fc.Arbitrary<unknown> = fc
  .array(fc.tuple(fc.constantFrom(...names), mean), { maxLength: 3 })
  .map((entries) => Object.fromEntries(entries));
const model = fc.oneof(
  mean,
  fc.record(
    {
      type: fc.oneof(
        fc.constantFrom("wavenet", "mlp", "gru", "transformer", "bow", "bigram", "microgpt"),
        mean,
      ),
      contextLength: mean,
      embedding: mean,
      hidden: mean,
      layers: mean,
      heads: mean,
    },
    { requiredKeys: [] },
  ),
  fc.array(
    fc.oneof(
      mean,
      fc.record(
        {
          type: fc.constantFrom(
            "Embedding",
            "Linear",
            "Tanh",
            "FlattenConsecutive",
            "BatchNorm1d",
            "Residual",
            "GRU",
            "CausalSelfAttention",
          ),
          dimensions: mean,
          fanOut: mean,
          n: mean,
          layers: mean,
          heads: mean,
        },
        { requiredKeys: ["type"] },
      ),
    ),
    { maxLength: 4 },
  ),
);
/** Options of any call except `train`. */
const options = fc.oneof({ weight: 3, arbitrary: bag }, { weight: 1, arbitrary: mean });
/** Options of `train`, all of them invalid, so that no training starts. */
const trainOptions = fc.oneof(
  fc.tuple(bag, model).map(([others, model]) => ({ ...(others as object), model, steps: -1 })),
  fc.tuple(bag).map(([others]) => ({ ...(others as object), unknown: 1 })),
  fc.constantFrom("trap", "getter", "tag", "revoked", "cycle").map((kind) => new Later(() => strange(kind))),
);

const words: fc.Arbitrary<unknown> = fc.oneof(
  mean,
  fc.array(mean, { maxLength: 4 }),
  fc.constantFrom<unknown>(
    ["a"],
    ["a", "a", "a"],
    [" ", "\t", ""],
    ["a\nb"],
    ["a\0b"],
    ["\ud800"],
    "a",
    " \n \n",
    "a,b\nc,d\ne,f",
    '{"a":1}',
    "[]",
    "<!doctype html>",
    "http://a/b.txt",
    { a: ["x"], "": ["y"] },
    { a: 1 },
    { a: [] },
    { "a\nb": ["x"] },
    { __proto__: ["x"] },
  ),
  fc
    .constantFrom(
      "throws",
      "throwsInside",
      "async",
      "asyncThrows",
      "notIterator",
      "endless",
      "nextThrows",
      "lies",
    )
    .map((kind) => new Later(() => iterable(kind))),
);
function iterable(kind: string): unknown {
  switch (kind) {
    case "throws":
      return { [Symbol.iterator]: () => thrower(new Error("iterator")) };
    case "throwsInside":
      return (function* () {
        yield "emma";
        throw new Error("inside");
      })();
    case "async":
      return (async function* () {
        yield "emma";
      })();
    case "asyncThrows":
      return (async function* () {
        yield "emma";
        throw new Error("later");
      })();
    case "notIterator":
      return { [Symbol.iterator]: () => 5 };
    case "nextThrows":
      return { [Symbol.iterator]: () => ({ next: () => thrower(undefined) }) };
    case "lies":
      return { [Symbol.iterator]: () => ({ next: () => 7 }) };
    default:
      return { length: 1e9, 0: "a" };
  }
}

/** Errors that the caller's own code throws. The package must pass them on unchanged. */
const THEIRS = /^(iterator|inside|later|undefined|Iterator result|Result of the Symbol.iterator method)\b/;

type Call = readonly [name: string, arguments: readonly unknown[]];
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.tuple(fc.constant("train"), fc.tuple(words, trainOptions)),
  fc.tuple(fc.constant("resume"), fc.tuple(options)),
  fc.tuple(fc.constant("sample"), fc.tuple(fc.oneof(mean, fc.constant(1)), options)),
  fc.tuple(fc.constant("next"), fc.tuple(mean, options)),
  fc.tuple(fc.constant("score"), fc.tuple(words, options)),
  fc.tuple(fc.constant("classify"), fc.tuple(words, options)),
  fc.tuple(fc.constant("evaluate"), fc.tuple(words, options)),
  fc.tuple(fc.constant("exportONNX"), fc.tuple(options)),
  fc.tuple(fc.constant("load"), fc.tuple(mean, options)),
  fc.tuple(fc.constant("save"), fc.tuple(mean, options)),
  fc.tuple(fc.constant("open"), fc.tuple(mean, fc.constant({ assetsURL: "http://localhost/" }))),
  fc.tuple(fc.constant("remove"), fc.tuple(mean, fc.constant({ assetsURL: "http://localhost/" }))),
  fc.tuple(fc.constant("new"), fc.tuple(options)),
);

async function make([name, values]: Call): Promise<unknown> {
  const given = values.map(made);
  if (name === "new") {
    const other = Reflect.construct(Makemore, given);
    other.dispose();
    return other;
  }
  if (name === "open" || name === "remove")
    return Reflect.apply(Reflect.get(Makemore, name), Makemore, given);
  return Reflect.apply(Reflect.get(mm, name), mm, given);
}

/** Number of calls per seed. fast-check cannot print a failing run, because some values throw when they are read. */
const PART = 500;

test("calls with any arguments settle, say what is wrong, and leave the model unchanged", async () => {
  const outcomes: Record<string, number> = {};
  const faults = new Map<string, number>();
  for (let part = 0; part < CASES / PART; part++) {
    const calls = fc.sample(call, { seed: SEED * 10_007 + part, numRuns: PART });
    for (const [number, tried] of calls.entries()) {
      const [name] = tried;
      const fault = (what: string) => {
        const text = `${name} ${what}`.slice(0, 400);
        if (!faults.has(text)) faults.set(text, part * PART + number);
      };
      const start = performance.now();
      const outcome = await settle(tried, fault);
      const took = performance.now() - start;
      // A call that succeeds may take longer, for example with 65,536 words.
      if (took > LIMIT_MS && outcome !== "value") fault(`took ${Math.round(took)} ms: ${outcome}`);
      outcomes[`${name} ${outcome}`] = (outcomes[`${name} ${outcome}`] ?? 0) + 1;
      // A total above 2 steps is valid, so `resume` trains. Load the first model again.
      if (name === "resume" && outcome === "value") await mm.load(exported);
      if (mm.model?.step !== 2) fault("changed the model");
    }
    if (Buffer.compare(await mm.exportONNX(), exported) !== 0)
      faults.set(`one call of part ${part} changed the model's numbers`, part * PART);
  }
  if (CASES > 10_000) console.log(JSON.stringify(outcomes));
  expect(Object.fromEntries(faults)).toEqual({});
  // There must be both kinds of outcomes.
  expect(outcomes["sample value"]).toBeGreaterThan(0);
  expect(outcomes["sample INVALID_OPTION"]).toBeGreaterThan(0);
}, 7_200_000);

/** Makes a call and returns its outcome: "value", or the code of its error. */
async function settle(tried: Call, fault: (what: string) => void): Promise<string> {
  try {
    await make(tried);
    return "value";
  } catch (error) {
    if (!(error instanceof MakemoreError)) {
      const text = describe(error);
      if (THEIRS.test(text)) return "theirs";
      fault(`threw ${text}`);
      return "thrown";
    }
    const { code, message } = error;
    if (code === "WORKER_FAILED" || code === "LOAD_FAILED") fault(`${code}: ${message}`);
    if (message.length > 1000) fault(`has a message of ${message.length} characters: ${message}`);
    return code;
  }
}

function describe(error: unknown): string {
  try {
    return error instanceof Error
      ? `${error.message}\n${error.stack?.split("\n").slice(1, 4).join("")}`
      : String(error);
  } catch {
    return "something without a text";
  }
}
