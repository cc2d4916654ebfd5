// Every way in which a call ends early. The worker of `mm` is never disposed of.
import { Makemore } from "makemore-web";
import words from "./words.js";

const options = { model: { hidden: 8 }, steps: 20 };
const mm = new Makemore({ backend: "wasm" });

/** How a call failed. */
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
// `mm.model.step` is that of the last progress; a file has the exact step.
const copy = new Makemore({ backend: "wasm" });
await copy.load(await mm.exportONNX(), { words });
const resumed = (await copy.resume({ steps: copy.model.step + 10 })).losses.length;

const missing = await failure(new Makemore({ assetsURL: "./nowhere" }).train(words));

/** How `sample` fails with one of the workers beside this file, and the call after it. */
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
