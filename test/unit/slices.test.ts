/** Work in slices, with a fake clock that only the work advances. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { inSlices, runSlice, runToEnd, type Work } from "../../src/slices";

let now = 0;
beforeEach(() => {
  now = 1000;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

/** Work of `count` parts of 5 ms each. Calls `done` after each part. */
function* parts(count: number, done: (part: number) => void = () => {}): Work<string> {
  for (let part = 0; part < count; part++) {
    now += 5;
    done(part);
    yield;
  }
  return "result";
}

test("a slice ends after the first part that reaches 12 ms, and the next slice goes on from there", () => {
  const done: number[] = [];
  const work = parts(4, (part) => done.push(part));
  expect(runSlice(work)).toEqual({ done: false, value: undefined });
  expect(done).toEqual([0, 1, 2]);
  expect(runSlice(work)).toEqual({ done: true, value: "result" });
  expect(done).toEqual([0, 1, 2, 3]);
});

test("the first slice runs at once, and the event loop runs between two slices", async () => {
  const order: string[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => order.push("message");
  port2.postMessage("came before the work");
  const working = inSlices(parts(4, (part) => order.push(`part ${part}`)));
  expect(order).toEqual(["part 0", "part 1", "part 2"]);
  await expect(working).resolves.toBe("result");
  expect(order).toEqual(["part 0", "part 1", "part 2", "message", "part 3"]);
  port1.close();
});

test("work that fits in one slice does not wait for the event loop", async () => {
  let turned = false;
  setTimeout(() => {
    turned = true;
  });
  await expect(inSlices(parts(2))).resolves.toBe("result");
  expect(turned).toBe(false);
});

test("a signal ends the work at the next slice with its reason, but not after the last slice", async () => {
  const done: number[] = [];
  const controller = new AbortController();
  const working = inSlices(
    parts(9, (part) => done.push(part)),
    controller.signal,
  );
  controller.abort("enough");
  await expect(working).rejects.toBe("enough");
  expect(done).toEqual([0, 1, 2]);

  await expect(
    inSlices(
      parts(9, (part) => done.push(part)),
      controller.signal,
    ),
  ).rejects.toBe("enough");
  expect(done).toEqual([0, 1, 2]);

  const late = new AbortController();
  await expect(
    inSlices(
      parts(2, () => late.abort()),
      late.signal,
    ),
  ).resolves.toBe("result");
});

test("an error of the work rejects, in the first slice and in a later one", async () => {
  const fail = (at: number) =>
    parts(9, (part) => {
      if (part === at) throw new Error(`part ${at}`);
    });
  expect(() => runSlice(fail(0))).toThrow("part 0");
  await expect(inSlices(fail(1))).rejects.toThrow("part 1");
  await expect(inSlices(fail(7))).rejects.toThrow("part 7");
});

test("runToEnd runs the work to its end in one go", () => {
  expect(runToEnd(parts(1000))).toBe("result");
  expect(now).toBe(6000);
});
