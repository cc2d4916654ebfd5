/** `useMakemore` with a fake worker, in React's strict mode, which mounts everything twice. */
import { act, createElement, StrictMode, useEffect } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useMakemore } from "../../src/react";
import type { MakemoreOptions } from "../../src/types";
import { ending, FakeWorker, sampling } from "./fakeWorker";
import { model, progress, result } from "./training";

type Hook = ReturnType<typeof useMakemore>;
let hook: Hook;
let rendered: Hook[];
let root: Root;
/** Ends the training. */
let finish: () => void;

beforeEach(() => {
  Reflect.set(globalThis, "IS_REACT_ACT_ENVIRONMENT", true);
  FakeWorker.instances = [];
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  FakeWorker.api = {
    train: async (_id, _options, _words, onEvent) => {
      onEvent({ model, measurements: new Map() });
      onEvent({ progress });
      await gate;
      return { value: result };
    },
    stop: ending(() => finish()),
    sample: sampling(["ab", "cd"]),
    open: async () => ({ value: model }),
  };
  vi.stubGlobal("Worker", FakeWorker);
  rendered = [];
  root = createRoot(document.createElement("div"));
});
afterEach(async () => {
  await act(() => root.unmount());
  vi.unstubAllGlobals();
});

/** Uses the hook, and calls `onMount` when it is mounted. */
function Component({ onMount, options }: { onMount: (hook: Hook) => void; options?: MakemoreOptions }) {
  hook = useMakemore(options ?? { backend: "wasm" });
  rendered.push(hook);
  useEffect(() => onMount(hook), []);
  return hook.status;
}

function mount(onMount: (hook: Hook) => void = () => {}) {
  return act(() => root.render(createElement(StrictMode, null, createElement(Component, { onMount }))));
}

/** Makes a call, and renders its first change of the state at once. */
function begin<Result>(call: () => Promise<Result>): Promise<Result> {
  const calls: Promise<Result>[] = [];
  act(() => void calls.push(call()));
  return Promise.race(calls);
}

const open = () => FakeWorker.instances.filter((worker) => !worker.terminated).length;
const until = (check: () => void) => act(() => vi.waitFor(check));
const settle = () => act(() => new Promise((resolve) => setTimeout(resolve, 30)));

test("mounting starts no worker; train reports progress, and then the model samples", async () => {
  await mount();
  expect(FakeWorker.instances).toHaveLength(0);
  expect(hook).toMatchObject({ status: "idle", progress: undefined, model: undefined, error: undefined });

  const onProgress = vi.fn();
  const training = begin(() => hook.train(["emma"], { onProgress }));
  await until(() => expect(hook).toMatchObject({ status: "training", progress }));
  expect(hook.model).toMatchObject({ parameters: model.parameters, step: progress.step });
  expect(onProgress).toHaveBeenCalledExactlyOnceWith(progress);
  finish();
  expect(await act(() => training)).toEqual(result);
  expect(hook).toMatchObject({ status: "ready", model: result.model, error: undefined });
  expect(await act(() => hook.sample(2))).toEqual(["ab", "cd"]);
  expect(hook.status).toBe("ready");
  expect(open()).toBe(1);
  // Functions must stay the same, because a component may pass them to effects and to memoized children.
  for (const name of ["train", "resume", "load", "open", "sample", "stop", "dispose", "makemore"] as const)
    expect(hook[name]).toBe(rendered[0]?.[name]);
});

test("strict mode: a training that starts on mount has one worker, and none after unmount", async () => {
  await mount(({ train }) => void train(["emma"]));
  await until(() => expect(hook.progress).toEqual(progress));
  expect(FakeWorker.instances).toHaveLength(2);
  expect(open()).toBe(1);
  expect(hook.error).toBeUndefined();

  const { train, sample } = hook;
  await act(() => root.unmount());
  expect(open()).toBe(0);
  // Event handlers may still run after the component is gone.
  expect(await train(["emma"])).toBeUndefined();
  expect(await sample()).toBeUndefined();
  expect(open()).toBe(0);
});

test("a refused call resolves with undefined, sets the error, and does not disturb a training", async () => {
  await mount();
  const training = begin(() => hook.train(["emma"]));
  await until(() => expect(hook.progress).toEqual(progress));
  FakeWorker.api = {};
  let refused: unknown = 1;
  await act(async () => {
    refused = await hook.train("emma", { onProgress: 7 as never, signal: 7 as never });
  });
  expect(refused).toBeUndefined();
  expect(hook).toMatchObject({ status: "training", progress, error: { code: "INVALID_OPTION" } });
  act(() => hook.stop());
  expect(await act(() => training)).toEqual(result);
  expect(hook.status).toBe("ready");
});

test("invalid options of the hook, and of a call, set the error", async () => {
  await act(() =>
    root.render(createElement(Component, { onMount: () => {}, options: { backend: () => {} } as object })),
  );
  expect(await act(() => hook.train(["emma"]))).toBeUndefined();
  expect(hook).toMatchObject({
    status: "idle",
    error: { code: "INVALID_OPTION", message: expect.stringContaining("new Makemore: backend") },
  });
  await act(() => root.unmount());
  root = createRoot(document.createElement("div"));
  await mount();
  expect(await act(() => hook.train(["emma"], { onProgress: 7 as never }))).toBeUndefined();
  expect(hook).toMatchObject({
    status: "idle",
    error: { code: "INVALID_OPTION", message: expect.stringContaining("onProgress is 7") },
  });
});

test("an abort by the component's signal or by dispose is not an error", async () => {
  await mount();
  const controller = new AbortController();
  const aborted = begin(() => hook.train(["emma"], { signal: controller.signal }));
  await until(() => expect(hook.progress).toEqual(progress));
  controller.abort();
  expect(await act(() => aborted)).toBeUndefined();
  expect(hook).toMatchObject({ status: "ready", error: undefined });

  const pending = begin(() => hook.sample());
  act(() => hook.dispose());
  expect(await act(() => pending)).toBeUndefined();
  expect(hook).toMatchObject({ status: "idle", model: undefined, error: undefined });
  expect(open()).toBe(0);
});

test("open loads a saved model in place of the present one, and sets the error if it fails", async () => {
  await mount();
  await act(() => hook.sample());
  expect(await act(() => hook.open("towns"))).toBe(true);
  expect(hook).toMatchObject({ status: "ready", model: { parameters: model.parameters } });
  // The worker of the sample has ended.
  expect(open()).toBe(1);
  expect(hook.makemore().model).toEqual(hook.model);
  FakeWorker.api.open = async () => ({ error: { code: "NOT_SAVED", message: "none" } });
  expect(await act(() => hook.open("villages"))).toBeUndefined();
  expect(hook).toMatchObject({ status: "ready", error: { code: "NOT_SAVED" } });
  await settle();
  expect(open()).toBe(1);
  // The next call clears the error.
  await act(() => hook.sample());
  expect(hook.error).toBeUndefined();
});

test("a model that opens after the component is gone leaves no worker", async () => {
  let answer = () => {};
  FakeWorker.api.open = () =>
    new Promise((resolve) => {
      answer = () => resolve({ value: model });
    });
  await mount();
  const opening = begin(() => hook.open("towns"));
  await settle();
  await act(() => root.unmount());
  answer();
  expect(await opening).toBeUndefined();
  expect(open()).toBe(0);
});

test("the next training begins without the progress of the one before; its onProgress may reject", async () => {
  await mount();
  const first = begin(() => hook.train(["emma"]));
  await until(() => expect(hook.progress).toEqual(progress));
  finish();
  await act(() => first);
  rendered = [];
  const onProgress = async () => {
    throw new Error("by the page");
  };
  expect(await act(() => hook.train(["emma"], { onProgress }))).toBeUndefined();
  expect(rendered[0]).toMatchObject({ status: "training", progress: undefined });
  expect(hook.error).toEqual(new Error("by the page"));
});

test("on a server it renders without a model", () => {
  expect(renderToString(createElement(Component, { onMount: () => {} }))).toBe("idle");
  expect(FakeWorker.instances).toHaveLength(0);
});
