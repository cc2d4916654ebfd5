/** The browser part of bench/profile-wasm.mjs: runs the wasm engine on the page's thread, for the profiler. */
import { runToEnd } from "../../src/slices";
import { buildDataset, readContext } from "../../worker/data/dataset";
import { drawMinibatch, type Order, prepareExamples } from "../../worker/data/examples";
import { wordExamplesWork } from "../../worker/data/wordExamples";
import type { Engine, EngineSetup } from "../../worker/engines/engine";
import { createWasmEngine } from "../../worker/engines/wasm";
import type { Build } from "../../worker/engines/wasm/builds";
import { type ArchitectureName, architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import type { Task } from "./trainers";

let setup: EngineSetup;
let engine: Engine;
let step = 0;

const profiled = {
  /** @param order `"even"` with soft targets, like the default recipe, or `"random"` with hard ones */
  async begin(task: Task, build: Build, order: Order, model: ArchitectureName): Promise<void> {
    const { seed, optimizer, batchSize } = task;
    const { vocabulary, train } = buildDataset(task.words, task);
    const network = buildNetwork(architecture(model), vocabulary.size);
    const parameters = initialParameters(network, seed);
    const targets = order === "even" ? "soft" : "hard";
    const choice = { order, targets, teacher: "none", steps: 1 } as const;
    const examples =
      network.example === "word"
        ? runToEnd(wordExamplesWork(train, vocabulary.size, choice))
        : prepareExamples(train, network, choice);
    setup = {
      ...{ network, parameters, optimizer, stream: train, seed, batchSize },
      ...(examples ? { examples } : {}),
    };
    engine = await createWasmEngine(setup, build);
  },

  /** Returns milliseconds per step. */
  async run(steps: number): Promise<number> {
    const start = performance.now();
    await engine.run(step, new Float32Array(steps).fill(0.001));
    step += steps;
    return (performance.now() - start) / steps;
  },

  /** Averages over the first `steps` minibatches of a chain of blocks: rows per level and slot, and MFLOP per step. */
  rows(steps: number): {
    levels: { places: number; rows: number; slots: number[] }[];
    nominal: number;
    shared: number;
  } {
    const { network, stream, batchSize } = setup;
    const blocks = network.chain?.blocks ?? [];
    const levels = blocks.map(({ positions, fold }) => ({
      places: positions * batchSize,
      rows: 0,
      slots: new Array<number>(fold).fill(0),
    }));
    for (let s = 0; s < steps; s++) {
      const contexts = Array.from(drawMinibatch(setup, s).positions, (position) => {
        const context: number[] = [];
        readContext(stream, position, network.contextLength, context);
        return context;
      });
      let below = 1;
      for (const [l, { fold, positions }] of blocks.entries()) {
        const different = (size: number, offset: number, every: number) =>
          new Set(
            contexts.flatMap((context) =>
              Array.from({ length: positions }, (_, p) =>
                context.slice(p * every + offset, p * every + offset + size).join(),
              ),
            ),
          ).size / steps;
        const level = levels[l];
        if (!level) continue;
        level.rows += different(below * fold, 0, below * fold);
        level.slots = level.slots.map((rows, slot) => rows + different(below, slot * below, below * fold));
        below *= fold;
      }
    }
    // Forward, gradient of weights, gradient of inputs: 2 operations each per weight and row.
    const mflop = (rowsOfSlot: (level: number, slot: number) => number) =>
      blocks.reduce(
        (sum, { fold, fanIn, fanOut }, l) =>
          sum +
          Array.from(
            { length: fold },
            (_, slot) => (6e-6 * rowsOfSlot(l, slot) * fanIn * fanOut) / fold,
          ).reduce((a, b) => a + b),
        0,
      );
    return {
      levels,
      nominal: mflop((l) => levels[l]?.places ?? 0),
      shared: mflop((l, slot) => levels[l]?.slots[slot] ?? 0),
    };
  },
};

export type Profiled = typeof profiled;

Object.assign(globalThis, { profiled });
