/** The early start: what an engine needs is loaded and opened while the words are still being prepared. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { EncodedWords } from "../../src/protocol";
import type { MakemoreOptions } from "../../src/types";
import { engines } from "../../worker/assets";
import { enginesFrom } from "../../worker/engines";
import type { EngineFiles } from "../../worker/engines/engine";
import { closeGPU } from "../../worker/engines/gpu/device";
import { Session } from "../../worker/session";
import { warmUp } from "../../worker/training/chooseEngine";
import { list, onEvents, settled } from "../session";

vi.mock("../../worker/assets", async () => {
  const assets = await (await import("../session")).nodeAssets();
  const { wasm, webgpu } = assets.engines;
  return { ...assets, engines: { wasm, webgpu, tfjs: webgpu.bind(null) }, setAssetURLs: () => {} };
});

beforeEach(() => {
  for (const engine of Object.values(engines)) engine.warmUp = vi.fn(async () => {});
});
afterEach(() => {
  closeGPU();
  vi.unstubAllGlobals();
});

/** Stubs a browser whose GPU has this description. Its devices are never ready. */
function stubGPU(description: string) {
  const requestDevice = vi.fn(() => new Promise(() => {}));
  const adapter = { info: { description }, limits: {}, features: new Set(), requestDevice };
  const requestAdapter = vi.fn(async () => adapter);
  vi.stubGlobal("navigator", { gpu: { requestAdapter } });
  return { requestAdapter, requestDevice };
}

async function configured(backend: NonNullable<MakemoreOptions["backend"]>): Promise<Session> {
  const { version } = await import("../../package.json");
  vi.stubGlobal("navigator", {});
  const session = new Session();
  const files = {} as Parameters<Session["configure"]>[0]["files"];
  await settled(
    session.configure({ options: { backend }, files, version, lockName: "", measurements: new Map() }),
  );
  return session;
}

/** Words that the page has not sent yet. */
function heldWords(): { words: EncodedWords; send: () => void } {
  const { port1, port2 } = new MessageChannel();
  const send = () => {
    port1.postMessage(new TextEncoder().encode("emma\nolivia\nava\nmia"));
    port1.postMessage(undefined);
  };
  return { words: { port: port2, isText: false }, send };
}

const options = { steps: 2, model: { hidden: 4 } } as const;

test("train warms the engine up before the words have arrived, and trains although that failed", async () => {
  const session = await configured("webgpu");
  const early = vi.fn(async () => {
    throw new Error("the GPU is busy");
  });
  engines.webgpu.warmUp = early;
  const { words, send } = heldWords();
  const training = session.train(1, options, words, onEvents());
  await vi.waitFor(() => expect(early).toHaveBeenCalledExactlyOnceWith("window"));
  send();
  // The engine itself reports why it does not run; this test has only the wasm engine.
  const { notices, backend } = await settled(training);
  expect(backend).toBe("wasm");
  expect(notices).toContainEqual(expect.stringContaining("only the wasm engine"));
  expect(notices.join()).not.toContain("busy");

  await settled(session.resume(2, { steps: 4 }, undefined, onEvents()));
  expect(early).toHaveBeenCalledTimes(2);
  await settled(session.train(3, { ...options, model: "rnn" }, list(["emma", "ava"]), onEvents()));
  expect(early).toHaveBeenLastCalledWith("word");
});

test("options that are refused warm nothing up", async () => {
  const session = await configured("webgpu");
  const words = list(["emma", "ava"]);
  for (const wrong of [
    { steps: -1 },
    { model: { hidden: 0 } },
    { targets: "hard", teacher: "ngram" },
  ] as const)
    expect(await session.train(1, wrong, words, onEvents())).toMatchObject({
      error: { code: "INVALID_OPTION" },
    });
  expect(await session.resume(2, {}, undefined, onEvents())).toMatchObject({ error: { code: "NO_MODEL" } });
  expect(engines.webgpu.warmUp).not.toHaveBeenCalled();
});

test("auto warms a real GPU up, no software adapter, and nothing once the page has benchmarks", async () => {
  stubGPU("nvidia ampere");
  await warmUp("auto", "window", engines, new Map());
  expect(engines.webgpu.warmUp).toHaveBeenCalledExactlyOnceWith("window");
  await warmUp("auto", "window", engines, new Map([["a model", []]]));
  stubGPU("Google SwiftShader");
  await warmUp("auto", "window", engines, new Map());
  vi.stubGlobal("navigator", {});
  await warmUp("auto", "window", engines, new Map());
  expect(engines.webgpu.warmUp).toHaveBeenCalledTimes(1);
  expect(engines.tfjs.warmUp).not.toHaveBeenCalled();
});

test("a backend that was asked for is warmed up without a look at the adapter, and no other one", async () => {
  const { requestAdapter } = stubGPU("Google SwiftShader");
  for (const backend of ["webgpu", "wasm", "tfjs"] as const) {
    await warmUp(backend, "word", engines, new Map());
    expect(engines[backend].warmUp).toHaveBeenCalledExactlyOnceWith("word");
  }
  expect(Object.values(engines).map((engine) => vi.mocked(engine.warmUp)?.mock.calls.length)).toEqual([
    1, 1, 1,
  ]);
  expect(requestAdapter).not.toHaveBeenCalled();
});

test.each([
  ["window", "webgpu"],
  ["word", "tfjs"],
] as const)(
  "webgpu requests its device and loads its file at the same time: %s, %s",
  async (example, file) => {
    const { requestDevice } = stubGPU("nvidia ampere");
    const loaded: string[] = [];
    const load = (name: string) => () => {
      loaded.push(name);
      return new Promise<never>(() => {});
    };
    const files: EngineFiles = { webgpu: load("webgpu"), tfjs: load("tfjs"), tfjsWasmURL: () => "" };
    void warmUp("auto", example, enginesFrom(files), new Map());
    await vi.waitFor(() => expect(requestDevice).toHaveBeenCalledTimes(1));
    expect(loaded).toEqual([file]);
  },
);
