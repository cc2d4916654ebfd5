import { readContext } from "../../data/dataset";
import { drawMinibatch } from "../../data/examples";
import { BOUNDARY } from "../../data/vocabulary";
import { drawWords, padWords, wordStarts } from "../../data/wordExamples";
import type { EngineSetup } from "../../engines/engine";
import { activations } from "../../model/limits";
import type { Network } from "../../model/network";

/** Most examples of a minibatch to look at: the lecture's batch. */
const MOST_EXAMPLES = 32;
/** Most numbers in the layers' outputs; the tape keeps about 16 times as many. */
const MOST_ACTIVATIONS = 1 << 22;

/** Examples of one length, with their targets. */
export interface DiagnosedExamples {
  /** [examples, positions] */
  readonly tokens: Int32Array<ArrayBuffer>;
  readonly positions: number;
  /** The distribution that each prediction should have, [predictions, vocabulary]. */
  readonly targets: Float32Array<ArrayBuffer>;
}

type Setup = Pick<EngineSetup, "network" | "stream" | "examples" | "seed" | "batchSize">;

/**
 * Returns a function that draws the first examples of a step's minibatch. Words are grouped by length, so that none has
 * padding, which would count in the statistics.
 */
export function exampleDrawer(setup: Setup): (step: number) => DiagnosedExamples[] {
  if (setup.network.example === "window") return (step) => [windows(setup, step)];
  const starts = wordStarts(setup);
  return (step) => words(setup, drawWords(starts, setup, step), step);
}

function windows(setup: Setup, step: number): DiagnosedExamples {
  const { network, stream } = setup;
  const { contextLength, vocabularySize } = network;
  const drawn = drawMinibatch(setup, step);
  const rows = drawn.positions.subarray(0, mostExamples(network));
  const tokens = new Int32Array(rows.length * contextLength);
  const targets = new Float32Array(rows.length * vocabularySize);
  for (const [row, position] of rows.entries()) {
    readContext(stream, position, contextLength, tokens, row * contextLength);
    targets[row * vocabularySize + (stream[position] ?? BOUNDARY)] = 1;
  }
  return {
    tokens,
    positions: contextLength,
    targets: drawn.targets?.slice(0, targets.length) ?? targets,
  };
}

function words(setup: Setup, starts: Uint32Array, step: number): DiagnosedExamples[] {
  const { network, stream } = setup;
  const positionsOf = (start: number) => stream.indexOf(BOUNDARY, start) + 1 - start;
  const longest = starts.reduce((most, start) => Math.max(most, positionsOf(start)), 1);
  const byLength = new Map<number, number[]>();
  for (const start of starts.subarray(0, mostExamples(network, longest))) {
    const positions = positionsOf(start);
    byLength.set(positions, [...(byLength.get(positions) ?? []), start]);
  }
  return [...byLength].map(([positions, group]) => {
    const { tokens, targets } = padWords(setup, Uint32Array.from(group), step);
    return { tokens, positions, targets };
  });
}

/** The number of examples that the memory allows; at least 2, because a BatchNorm1d cannot take a single row. */
function mostExamples({ layers }: Network, positions?: number): number {
  const allowed = Math.floor(MOST_ACTIVATIONS / activations(layers, positions));
  return Math.max(2, Math.min(MOST_EXAMPLES, allowed));
}
