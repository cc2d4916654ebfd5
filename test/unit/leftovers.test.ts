/** What stays in memory after a call: nothing of what it worked with. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test, vi } from "vitest";
import { settled } from "../../src/slices";
import type { EngineSetup } from "../../worker/engines/engine";
import { Changes } from "../../worker/session/changes";
import { EngineChoices } from "../../worker/session/engineChoices";

vi.mock("../../worker/assets", () => ({
  engines: { wasm: async () => ({ backend: "wasm", device: "test", dispose() {} }) },
}));

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

async function expectCollected(reference: WeakRef<object>): Promise<void> {
  // A weak reference holds its object until the next task.
  await new Promise((resolve) => setTimeout(resolve, 1));
  collectGarbage();
  expect(reference.deref()).toBeUndefined();
}
const { signal } = new AbortController();

test("a change that has ended keeps nothing of what it set up", async () => {
  const changes = new Changes();
  const change = { call: "train", isTraining: true, signal };
  const setUp = await changes.run(
    change,
    async (open) => new WeakRef(await open(async () => ({ losses: [1] }))),
  );
  await expectCollected(setUp);
  await changes.opened(signal);
});

test("the choice of an engine keeps no engine", async () => {
  const choices = new EngineChoices();
  choices.configure("wasm", new Map());
  const choose = async () => new WeakRef((await choices.choose({} as EngineSetup, signal)).engine);
  await expectCollected(await choose());
  expect(choices.measurements.size).toBe(0);
});

test("waiting for a call to end keeps no result, and throws nothing", async () => {
  expect(await settled(Promise.resolve({ large: true }))).toBeUndefined();
  expect(await settled(Promise.reject(new Error("refused")))).toBeUndefined();
});
