/** The thread's GPU device, which the copies of worker/engines/gpu/device.ts in different chunks share. */
import { afterEach, expect, test, vi } from "vitest";
import { makemoreError } from "../makemoreError";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** Stubs a browser with a GPU, and counts its devices. `lose` loses the latest one. */
function stubGPU() {
  const losses: ((info: { reason: string }) => void)[] = [];
  const requestDevice = vi.fn(async () => ({
    lost: new Promise((resolve) => losses.push(resolve)),
    destroy: () => losses.at(-1)?.({ reason: "destroyed" }),
  }));
  const adapter = { info: { description: "some GPU" }, limits: {}, features: new Set(), requestDevice };
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => adapter } });
  vi.stubGlobal("makemoreWebGPU", undefined);
  return { requestDevice, lose: (reason: string) => losses.at(-1)?.({ reason }) };
}

test("a browser that refuses an adapter is unsupported, in its own words, and is asked again the next time", async () => {
  stubGPU();
  const refused = new TypeError("no GPU process");
  const requestAdapter = vi.spyOn(navigator.gpu, "requestAdapter").mockRejectedValueOnce(refused);
  const { openGPU } = await copyOfDevice();
  await expect(openGPU()).rejects.toEqual(makemoreError("UNSUPPORTED", /no GPU process.*wasm backend/));
  expect((await openGPU()).name).toBe("some GPU");
  expect(requestAdapter).toHaveBeenCalledTimes(2);
});

/** Loads another copy of the file, as another chunk has it. */
async function copyOfDevice() {
  vi.resetModules();
  return import("../../worker/engines/gpu/device");
}

test("two copies open one device, and count its losses together", async () => {
  const { requestDevice, lose } = stubGPU();
  const [one, other] = [await copyOfDevice(), await copyOfDevice()];
  expect(other.openGPU).not.toBe(one.openGPU);
  const [{ device }, again] = await Promise.all([one.openGPU(), other.openGPU()]);
  expect(again.device).toBe(device);
  expect(requestDevice).toHaveBeenCalledTimes(1);

  for (const copy of [one, other]) {
    expect(other.isUnreliable()).toBe(false);
    const { device: current } = await copy.openGPU();
    lose("unknown");
    await expect.poll(async () => (await copy.openGPU()).device).not.toBe(current);
  }
  await expect.poll(() => [one.isUnreliable(), other.isUnreliable()]).toEqual([true, true]);
});

test("a copy can close the device that another one opened; that is no loss", async () => {
  const { requestDevice } = stubGPU();
  const [one, other] = [await copyOfDevice(), await copyOfDevice()];
  const { device } = await one.openGPU();
  for (let i = 0; i < 3; i++) {
    other.closeGPU();
    expect((await one.openGPU()).device).not.toBe(device);
  }
  expect(requestDevice).toHaveBeenCalledTimes(4);
  expect(one.isUnreliable()).toBe(false);
});
