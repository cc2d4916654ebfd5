// Every way in which a call can end early. `mm` is never disposed of, and the process must end anyway.
import { Makemore } from "makemore-web";
import words from "./words.js";

const options = { model: { hidden: 8 }, steps: 20 };
const mm = new Makemore({ backend: "wasm" });

/** Returns the code and message of a call's error. */
const failure = (call) =>
  call.then(
    () => "it did not fail",
    (error) => `${error.code ?? error.name}: ${error.message}`,
  );

const controller = new AbortController();
const aborted = await failure(
  mm.train(words, {
    ...options,
    steps: 1e7,
    patience: 0,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  }),
);
const afterAbort = (await mm.sample(2)).length;
// Load a file to get the exact step, because `mm.model.step` is the step of the last progress.
const copy = new Makemore({ backend: "wasm" });
await copy.load(await mm.exportONNX(), { words });
const resumed = (await copy.resume({ steps: copy.model.step + 10 })).losses.length;

const missing = await failure(new Makemore({ assetsURL: "./nowhere" }).train(words));

/** Calls `sample` with one of the faulty workers beside this file, then another call. Returns both errors. */
async function failing(worker) {
  const maker = new Makemore({ backend: "wasm", workerURL: new URL(worker, import.meta.url) });
  await maker.train(words, options);
  const failed = await failure(maker.sample(1));
  // The next call starts another worker, without a model.
  return [failed, await failure(maker.evaluate())];
}
const thrown = await failing("throws.js");
const exited = await failing("exits.js");

const busy = new Makemore({ backend: "wasm" });
const pending = failure(busy.train(words, { ...options, steps: 1e7, patience: 0 }));
setTimeout(() => busy.dispose(), 300);
const disposed = await pending;

console.log(JSON.stringify({ aborted, afterAbort, resumed, missing, thrown, exited, disposed }));
