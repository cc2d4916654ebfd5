/**
 * `npm run demo:models`: trains a small model for each list of the page and writes it to this folder, with some of
 * its words. So the page has words to show before it trains or fetches anything.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { Makemore } from "makemore-web";
import { LISTS } from "../src/lists";
import type { Prepared } from "../src/prepared";

/** As many words as the page shows at first. */
const WORDS = 24;
/** The page's default options of `sample`. */
const SAMPLE = { temperature: 0.8, seed: 42 };
/** Limit for the bytes of all files, because they are in the repository. */
const MOST_BYTES = 400_000;

export async function main(): Promise<void> {
  const folder = new URL("./", import.meta.url);
  const all: Record<string, Prepared> = {};
  let bytes = 0;
  const mm = new Makemore({ backend: "wasm" });
  for (const { id, url } of LISTS) {
    // Vite's URL of a list is its path from the repository's root, where npm runs this.
    const words = readFileSync(`.${url}`, "utf8");
    // It had the lowest validation loss on short lists among models of this size.
    const model = { type: "gru", embedding: 16, hidden: 40 } as const;
    const { step, kept, copies } = await mm.train(words, { model, steps: "auto", seed: 42 });
    const onnx = await mm.exportONNX({ trainingState: false });
    writeFileSync(new URL(`${id}.onnx`, folder), onnx);
    bytes += onnx.length;
    all[id] = {
      bytes: onnx.length,
      words: await mm.sample(WORDS, { novel: true, unique: true, minLength: 4, maxLength: 20, ...SAMPLE }),
    };
    console.log(
      `${id}: ${onnx.length} bytes, ${step} steps, kept ${kept?.step}, validation ${kept?.validation.toFixed(3)}, copies ${copies.toFixed(2)}: ${all[id].words.slice(0, 8).join(" ")}`,
    );
  }
  mm.dispose();
  if (bytes > MOST_BYTES)
    throw new Error(`The models have ${bytes} bytes; at most ${MOST_BYTES} go into the repository.`);
  writeFileSync(new URL("models.json", folder), `${JSON.stringify(all, null, 1)}\n`);
}
