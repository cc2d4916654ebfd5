/** The webgpu engine in the built package: on a software adapter, and when the device is lost. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Makemore } from "../../src";
import { type BuiltSite, openSite, runInPage } from "./builtSite";

const names = readFileSync(new URL("../../demo/words/names.txt", import.meta.url), "utf8")
  .split("\n")
  .slice(0, 600)
  .join("\n");
const script = `
  Object.assign(globalThis, { Makemore, mm: new Makemore({ backend: "webgpu" }) });
`;

interface Globals {
  mm: Makemore;
  Makemore: typeof Makemore;
  names: string;
  steps?: number;
  auto?: Makemore;
}

let site: BuiltSite;
let page: Page;

beforeAll(async () => {
  site = await openSite(script);
});
afterAll(() => site?.close());
beforeEach(async () => {
  page = await site.open();
  // The first call starts the worker, so that the test can reach it.
  await page.evaluate((words) => {
    const globals = Object.assign(globalThis, { names: words }) as unknown as Globals;
    return globals.mm.sample().catch(() => {});
  }, names);
});
afterEach(() => page?.close());

const inPage = <T>(run: (globals: Globals) => Promise<T>) => runInPage(page, run);

/** Collects the worker's devices as they are created. */
async function watchDevices(): Promise<void> {
  await page.workers()[0]?.evaluate(() => {
    const devices: GPUDevice[] = [];
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...request) {
      const device = await requestDevice.apply(this, request);
      devices.push(device);
      return device;
    };
    Object.assign(globalThis, { devices });
  });
}

test("trains like the wasm engine on the same minibatches, and samples", async () => {
  const got = await inPage(async ({ mm, Makemore, names }) => {
    const options = { steps: 40, model: { embedding: 8, hidden: 24 }, batchSize: 16 } as const;
    const { backend, losses, notices } = await mm.train(names, options);
    const other = new Makemore({ backend: "wasm" });
    const wasm = await other.train(names, options);
    other.dispose();
    return { backend, notices, losses: [...losses], wasm: [...wasm.losses], samples: await mm.sample(3) };
  });
  expect(got.backend).toBe("webgpu");
  expect(got.notices).toEqual([]);
  // Tolerance: both sum the same numbers in different orders, and 40 steps amplify the float32 rounding.
  for (const [i, loss] of got.losses.entries())
    expect(Math.abs(loss - (got.wasm[i] ?? 0))).toBeLessThan(1e-4);
  expect(got.samples).toHaveLength(3);
});

test("if the device is lost in mid-run, training goes on after a pause, with a notice", async () => {
  await watchDevices();
  const training = inPage(async (globals) => {
    const notices: string[] = [];
    const { losses, backend, step, ...result } = await globals.mm.train(globals.names, {
      steps: 900,
      model: { embedding: 8, hidden: 24 },
      onProgress: (p) => {
        globals.steps = p.step;
        if (p.notice) notices.push(p.notice);
      },
    });
    return {
      count: losses.length,
      last: losses.at(-1),
      backend,
      step,
      notices,
      told: result.notices,
      samples: await globals.mm.sample(2),
    };
  });
  await page.waitForFunction("globalThis.steps > 20", undefined, { timeout: 60_000 });
  await page.workers()[0]?.evaluate("devices.at(-1).destroy()");
  const got = await training;
  expect(got.step).toBe(900);
  expect(got.count).toBe(900);
  // The loss of an untrained model is 3.3.
  expect(got.last).toBeLessThan(2.9);
  expect(got.told).toEqual([
    expect.stringMatching(/webgpu engine was lost at step \d+.*went on from step \d+ on webgpu/),
  ]);
  expect(got.notices).toEqual(got.told);
  expect(got.samples).toHaveLength(2);
});

test("if every device is lost, the wasm engine finishes the training", async () => {
  await watchDevices();
  const training = inPage(async (globals) => {
    const { backend, step, notices } = await globals.mm.train(globals.names, {
      steps: 2000,
      model: { embedding: 8, hidden: 24 },
      onProgress: (p) => {
        globals.steps = p.step;
      },
    });
    return { backend, step, notices };
  });
  await page.waitForFunction("globalThis.steps > 20", undefined, { timeout: 60_000 });
  // From now on every device is lost at its first submit.
  await page.workers()[0]?.evaluate(() => {
    const { submit } = GPUQueue.prototype;
    GPUQueue.prototype.submit = function (commands) {
      submit.call(this, commands);
      for (const device of (globalThis as unknown as { devices: GPUDevice[] }).devices) device.destroy();
    };
  });
  const got = await training;
  expect(got.backend).toBe("wasm");
  expect(got.step).toBe(2000);
  expect(got.notices.at(-1)).toMatch(/webgpu engine was lost.*went on from step \d+ on wasm/);
});

test("the device and webgpu.js are requested before the words are read, but not if an option is wrong", async () => {
  await watchDevices();
  const code = (call: string) =>
    page.evaluate<string>(`${call}.then(() => "trained", ({ code }) => code)`) as Promise<string>;
  const requested = () =>
    page.workers()[0]?.evaluate("[devices.length, Object.keys(globalThis.makemoreWebChunks ?? {})]");
  expect(await code("mm.train(names, { steps: -1 })")).toBe("INVALID_OPTION");
  expect(await requested()).toEqual([0, []]);
  // These words are refused as soon as they are read, so no engine is opened.
  expect(await code("mm.train([' '])")).toBe("INVALID_WORDS");
  await expect.poll(requested, { timeout: 20_000 }).toEqual([1, ["webgpu"]]);
  expect(await code("mm.train(names, { steps: 1, model: { embedding: 8, hidden: 8 } })")).toBe("trained");
  expect(await requested()).toEqual([1, ["webgpu"]]);
});

test("a training that is stopped before its first step changes nothing", async () => {
  const got = await inPage(async ({ mm, names }) => {
    await mm.train(names, { steps: 10, model: { hidden: 16 } });
    const before = { model: mm.model, samples: await mm.sample(5, { seed: 1 }) };
    const controller = new AbortController();
    // Compiling takes far longer than this.
    const training = mm.train(["other", "words"], { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 10);
    const reason = await training.then(String, (error: Error) => error.message);
    return { reason, before, after: { model: mm.model, samples: await mm.sample(5, { seed: 1 }) } };
  });
  expect(got.reason).toBe("enough");
  expect(got.after).toEqual(got.before);
});

test("20 trainings in one page leave as many GPU buffers as one training", async () => {
  await page.workers()[0]?.evaluate(() => {
    const alive = new Set<GPUBuffer>();
    const { createBuffer } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (descriptor) {
      const buffer = createBuffer.call(this, descriptor);
      alive.add(buffer);
      return buffer;
    };
    const { destroy } = GPUBuffer.prototype;
    GPUBuffer.prototype.destroy = function () {
      alive.delete(this);
      return destroy.call(this);
    };
    Object.assign(globalThis, { alive });
  });
  const train = () =>
    inPage(({ mm, names }) =>
      mm.train(names, { steps: 5, model: { embedding: 8, hidden: 8 } }).then(({ backend }) => backend),
    );
  const alive = () => page.workers()[0]?.evaluate<number>("alive.size");
  expect(await train()).toBe("webgpu");
  const afterOne = await alive();
  for (let i = 1; i < 20; i++) await train();
  expect(await alive()).toBe(afterOne);
});

test("the engine and tfjs, from different files, use one device", async () => {
  await watchDevices();
  const got = await inPage(async ({ mm, names }) => {
    const options = { steps: 2, batchSize: 4 } as const;
    const window = await mm.train(names, { ...options, model: { embedding: 8, hidden: 8 } });
    const word = await mm.train(names, { ...options, model: { type: "rnn", embedding: 4, hidden: 5 } });
    const again = await mm.train(names, { ...options, model: { embedding: 8, hidden: 8 } });
    return [window, word, again].map(({ backend, device, losses }) => ({
      backend,
      device,
      losses: [...losses],
    }));
  });
  expect(got.map(({ backend }) => backend)).toEqual(["webgpu", "webgpu", "webgpu"]);
  expect(got.map(({ device }) => device.endsWith("(tfjs)"))).toEqual([false, true, false]);
  expect(got[2]?.losses).toEqual(got[0]?.losses);
  expect(await page.workers()[0]?.evaluate("devices.length")).toBe(1);
});

test("without an adapter the wasm engine trains, with a notice", async () => {
  await page.workers()[0]?.evaluate(() => {
    navigator.gpu.requestAdapter = async () => null;
  });
  const got = await inPage(async ({ mm, names }) => {
    const { backend, notices } = await mm.train(names, { steps: 10, model: { hidden: 16 } });
    return { backend, notices };
  });
  expect(got.backend).toBe("wasm");
  expect(got.notices).toEqual([expect.stringMatching(/webgpu engine cannot run this here/)]);
});

test("auto measures, and chooses wasm if the GPU is slower", async () => {
  await inPage(async (globals) => {
    globals.auto = new globals.Makemore();
    await globals.auto.sample().catch(() => {});
  });
  // Disguises the software adapter, so that "auto" does not skip it. Who opens a device still sees its real name, because
  // kernels in a GPU's shape would take many seconds to compile in software.
  await page
    .workers()
    .at(-1)
    ?.evaluate(() => {
      let disguised = true;
      const { requestDevice } = GPUAdapter.prototype;
      const devices: GPUDevice[] = [];
      Object.assign(globalThis, { devices });
      GPUAdapter.prototype.requestDevice = async function (descriptor) {
        const device = await requestDevice.call(this, descriptor);
        devices.push(device);
        disguised = false;
        setTimeout(() => {
          disguised = true;
        });
        return device;
      };
      for (const name of ["vendor", "architecture", "device"])
        Object.defineProperty(GPUAdapterInfo.prototype, name, {
          get: () => (disguised ? "" : "swiftshader"),
        });
      Object.defineProperty(GPUAdapterInfo.prototype, "description", { get: () => "some GPU" });
      Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });
    });
  // The words are refused, so only the early start can request a device.
  expect(await page.evaluate("auto.train([' ']).catch(({ code }) => code)")).toBe("INVALID_WORDS");
  await expect.poll(() => page.workers().at(-1)?.evaluate("devices.length")).toBe(1);
  const got = await inPage(async ({ auto, names }) => {
    if (!auto) throw new Error("It was not made.");
    const model = { contextLength: 4, embedding: 8, hidden: 16 };
    const { backend, measured } = await auto.train(names, { steps: 10, model });
    return { backend, measured };
  });
  expect(got.backend).toBe("wasm");
  const [wasm, webgpu] = got.measured ?? [];
  expect(webgpu).toEqual({ backend: "webgpu", device: "some GPU", msPerStep: expect.any(Number) });
  expect(webgpu?.msPerStep).toBeGreaterThan(wasm?.msPerStep ?? Number.POSITIVE_INFINITY);
  expect(await page.workers().at(-1)?.evaluate("devices.length")).toBe(1);
});

test("auto measures, and never chooses a software adapter", async () => {
  const got = await inPage(async ({ Makemore, names }) => {
    const mm = new Makemore();
    const result = await mm.train(names, { steps: 10 });
    mm.dispose();
    return { backend: result.backend, measured: result.measured };
  });
  expect(got.backend).toBe("wasm");
  expect(got.measured).toEqual([
    { backend: "wasm", device: expect.any(String), msPerStep: expect.any(Number) },
    {
      backend: "webgpu",
      device: expect.stringMatching(/swiftshader/i),
      skipped: expect.stringMatching(/software/),
    },
  ]);
});
