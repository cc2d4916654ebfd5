/** Saved models, in an in-memory IndexedDB. test/e2e/keep.test.ts uses a browser's. */
import { readFileSync } from "node:fs";
import { IDBFactory, IDBObjectStore } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { openDB } from "idb";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { Session } from "../../worker/session";
import { list, onEvents, sampled, settled } from "../session";

vi.mock("../../worker/assets", async () => (await import("../session")).nodeAssets());

const model = { contextLength: 4, embedding: 4, hidden: 8 };
const names = readFileSync("demo/words/names.txt", "utf8").split("\n").slice(0, 300);
const train = { model, keepBest: false };

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

/** Creates the stores of database version 1 by hand. */
function openStores(version = 1) {
  return openDB("makemore-web", version, {
    upgrade(database) {
      if (database.objectStoreNames.length > 0) return;
      database.createObjectStore("infos");
      database.createObjectStore("models");
    },
  });
}

async function trained(words = names, options: object = {}): Promise<Session> {
  const session = new Session();
  await settled(session.train(1, { ...train, steps: 20, ...options }, list(words), onEvents()));
  return session;
}

test("an opened model has its words: it resumes like an unbroken training, and samples novel words", async () => {
  const unbroken = await trained(names, { steps: 40 });
  const first = new Session();
  const stopAt20 = onEvents(({ step }) => step >= 20 && first.stop(1));
  await settled(first.train(1, { ...train, steps: 40, evalEvery: 20 }, list(names), stopAt20));
  await settled(first.save(2, {}, "towns"));
  const second = new Session();
  expect(await settled(second.open(1, "towns"))).toMatchObject({ step: 20, steps: 40 });
  for (const word of await sampled(second, { novel: true, seed: 1 }, 200)) expect(names).not.toContain(word);
  expect(await settled(second.resume(3, {}, undefined, onEvents()))).toMatchObject({ step: 40 });
  expect(await settled(second.exportONNX(4, {}))).toEqual(await settled(unbroken.exportONNX(4, {})));
});

test("saved models are listed, replaced and removed by name", async () => {
  const session = await trained();
  expect(await settled(session.saved(1))).toEqual([]);
  await settled(session.save(2, {}, "towns"));
  await settled(session.save(3, {}, "another"));
  await settled(session.save(4, {}, "towns"));
  const saved = await settled(session.saved(5));
  expect(saved.map(({ name }) => name)).toEqual(["another", "towns"]);
  expect(saved[1]).toMatchObject({ words: 300, step: 20, steps: 20, date: expect.any(Date) });
  expect(saved[1]?.bytes).toBeGreaterThan((await settled(session.exportONNX(6, {}))).length);
  expect(await settled(session.remove(7, "towns"))).toBe(true);
  expect(await settled(session.remove(8, "towns"))).toBe(false);
  await expect(settled(session.open(9, "towns"))).rejects.toThrow(/^NOT_SAVED: open: .*"towns"/);
  // The refused call changed nothing.
  expect(await sampled(session, {}, 1)).toHaveLength(1);
});

test("save needs a model and a name that is not empty", async () => {
  const session = await trained();
  const calls = [
    session.save(1, {}, ""),
    session.save(1, {}, 7 as never),
    session.open(1, ""),
    session.remove(1, ""),
    session.train(1, { saveAs: "" }, list(names), onEvents()),
  ];
  for (const call of calls)
    await expect(settled<unknown>(call)).rejects.toThrow(/INVALID_OPTION.*a string that is not empty/);
  await expect(settled(new Session().save(1, {}, "towns"))).rejects.toThrow("NO_MODEL");
});

test("after two simultaneous saves under one name, one of them is there and complete", async () => {
  const sessions = [await trained(names.slice(0, 100)), await trained(names.slice(100))];
  await Promise.all(sessions.map((session) => settled(session.save(2, {}, "towns"))));
  const opened = new Session();
  await settled(opened.open(1, "towns"));
  const files = await Promise.all(sessions.map((session) => settled(session.exportONNX(3, {}))));
  const file = await settled(opened.exportONNX(3, {}));
  const which = files.findIndex((other) => Buffer.from(other).equals(file));
  expect(which).toBeGreaterThanOrEqual(0);
  const [info] = await settled(opened.saved(4));
  expect(info?.words).toBe([100, 200][which]);
});

test("a record of version 1 opens, even with a file of 0.1.0; a record of a later version is refused", async () => {
  const onnx = new Uint8Array(readFileSync("test/fixtures/version-0.1.0.onnx"));
  const database = await openStores();
  await database.put("models", { version: 1, onnx }, "old");
  await database.put("models", { version: 2, anything: true }, "new");
  database.close();
  const session = new Session();
  expect(await settled(session.open(1, "old"))).toMatchObject({ step: 20, steps: 40 });
  await expect(settled(session.open(2, "new"))).rejects.toThrow(/UNSUPPORTED.*later version/);
  (await openStores(2)).close();
  await expect(settled(session.saved(3))).rejects.toThrow(/UNSUPPORTED.*later version/);
});

test("a model that is damaged, or saved with other words than its own, is refused", async () => {
  const session = await trained();
  await settled(session.save(2, {}, "towns"));
  const database = await openStores();
  const record = await database.get("models", "towns");
  const train = record.words.train.with(1, record.words.train[1] === 1 ? 2 : 1);
  await database.put("models", { ...record, words: { ...record.words, train } }, "other words");
  await database.put("models", { ...record, onnx: record.onnx.slice(0, -1) }, "cut");
  database.close();
  for (const name of ["other words", "cut"])
    await expect(settled(session.open(3, name))).rejects.toThrow("INVALID_ONNX");
});

test("without storage save fails, and a training goes on with a notice", async () => {
  globalThis.indexedDB = {
    open() {
      throw new DOMException("The operation is insecure.", "SecurityError");
    },
  } as never;
  const session = new Session();
  const options = { ...train, steps: 20, saveAs: "towns" };
  const { step, notices } = await settled(session.train(1, options, list(names), onEvents()));
  expect(step).toBe(20);
  expect(notices).toEqual([expect.stringMatching(/step 20 was not saved: saveAs: the browser refuses/)]);
  await expect(settled(session.save(2, {}, "towns"))).rejects.toThrow(/STORAGE_FAILED: save: .*insecure/);
});

test("a save that is aborted while the database opens saves nothing", async () => {
  const session = await trained();
  const { open } = IDBFactory.prototype;
  const opened = vi.spyOn(IDBFactory.prototype, "open").mockImplementationOnce(function (
    this: IDBFactory,
    ...args: Parameters<typeof open>
  ) {
    void session.abort(2);
    return open.apply(this, args);
  });
  onTestFinished(() => opened.mockRestore());
  await expect(settled(session.save(2, {}, "towns"))).rejects.toThrow("aborted");
  expect(await settled(session.saved(3))).toEqual([]);
});

test("a save that the browser aborts fails for the browser's reason", async () => {
  const session = await trained();
  const { put } = IDBObjectStore.prototype;
  const aborted = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (
    this: IDBObjectStore,
    ...args
  ) {
    const request = put.apply(this, args);
    // As fake-indexeddb does on its own; a page's `abort()` gives no reason.
    if (this.name === "models")
      Reflect.get(this.transaction, "_abort").call(this.transaction, "QuotaExceededError");
    return request;
  });
  onTestFinished(() => aborted.mockRestore());
  await expect(settled(session.save(2, {}, "towns"))).rejects.toThrow(
    "STORAGE_FAILED: save: there is no room",
  );
  expect(await settled(session.saved(3))).toEqual([]);
});

test("a removal that the browser refuses in the middle removes nothing", async () => {
  const session = await trained();
  await settled(session.save(2, {}, "towns"));
  const { delete: remove } = IDBObjectStore.prototype;
  const refused = vi.spyOn(IDBObjectStore.prototype, "delete").mockImplementation(function (
    this: IDBObjectStore,
    ...args
  ) {
    if (this.name === "models") throw new DOMException("It is refused.", "UnknownError");
    return remove.apply(this, args);
  });
  onTestFinished(() => refused.mockRestore());
  await expect(settled(session.remove(3, "towns"))).rejects.toThrow(
    /STORAGE_FAILED: remove: .*It is refused/,
  );
  expect(await settled(session.saved(4))).toMatchObject([{ name: "towns", step: 20 }]);
  expect(await settled(session.open(5, "towns"))).toMatchObject({ step: 20 });
});

test("without room a training goes on with a notice, and the earlier saved model stays", async () => {
  await settled((await trained()).save(2, {}, "towns"));
  // The first record fits; the second does not.
  const put = IDBObjectStore.prototype.put;
  const full = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (
    this: IDBObjectStore,
    ...args
  ) {
    if (this.name === "models") throw new DOMException("It is full.", "QuotaExceededError");
    return put.apply(this, args);
  });
  const session = new Session();
  const options = { ...train, steps: 30, saveAs: "towns" };
  const { step, notices } = await settled(session.train(1, options, list(names), onEvents()));
  expect(step).toBe(30);
  expect(notices).toEqual([expect.stringMatching(/step 30 was not saved: saveAs: there is no room left/)]);
  await expect(settled(session.save(2, {}, "towns"))).rejects.toThrow(
    "STORAGE_FAILED: save: there is no room",
  );
  full.mockRestore();
  expect(await settled(session.saved(3))).toMatchObject([{ name: "towns", step: 20 }]);
  expect(await settled(session.open(4, "towns"))).toMatchObject({ step: 20 });
});
