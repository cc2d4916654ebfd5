/**
 * PyTorch's training runs (test/fixtures), converted for this project's engines: a network, its numbers before and
 * after, and the minibatches as positions in a token stream.
 */
import { exampleCount, type TokenStream } from "../worker/data/dataset";
import { type ExampleChoice, prepareExamples } from "../worker/data/examples";
import type { EngineSetup } from "../worker/engines/engine";
import { architecture } from "../worker/model/architectures";
import type { Block } from "../worker/model/blocks";
import type { Parameters } from "../worker/model/layer";
import { buildNetwork, type Network } from "../worker/model/network";
import mlp from "./fixtures/pytorch-mlp.json";
import recipe from "./fixtures/pytorch-recipe.json";
import wavenet from "./fixtures/pytorch-wavenet.json";

/** A run of plain SGD. The keys of each map are this project's parameter names; the values are row-major. */
export interface PyTorchTraining {
  readonly network: Network;
  /** Values before the first step, including running statistics, for an engine's setup. */
  readonly parameters: Parameters;
  /** Holds every example of every minibatch. */
  readonly stream: TokenStream;
  /** The minibatches, [steps, batchSize]: positions of their targets in `stream`, or of their words' first tokens. */
  readonly positions: Uint32Array<ArrayBuffer>;
  readonly batchSize: number;
  /** One per step, all equal. */
  readonly learningRates: Float32Array<ArrayBuffer>;
  /** Mean cross entropy of each step. */
  readonly losses: readonly number[];
  /** Trainable parameters after the last step. */
  readonly after: Parameters;
}

/** A run of one of the lecture's models. In `stream`, each example is a separate word. */
export interface PyTorchRun extends PyTorchTraining {
  /** Running means and variances after the last step. */
  readonly running: Parameters;
  /** Contexts, and the logits of each in evaluation mode after the last step. */
  readonly evaluation: { readonly contexts: readonly number[][]; readonly logits: readonly number[][] };
}

type Fixture = typeof mlp | typeof wavenet;

/** Returns the run of the lecture's first (`mlp`) or last (`wavenet`) architecture, at the fixture's size. */
export function pytorchRun(name: "mlp" | "wavenet"): PyTorchRun {
  const fixture = name === "mlp" ? mlp : wavenet;
  const { block_size, embedding, hidden, folds, vocab, batch, learning_rate } = fixture.config;
  const network = buildNetwork(architecture({ contextLength: block_size, embedding, hidden, folds }), vocab);
  const before = trainable(network, fixture.before);
  return {
    network,
    parameters: new Map([...before, ...runningStatistics(network, untouched(fixture))]),
    ...minibatches(fixture),
    batchSize: batch,
    learningRates: new Float32Array(fixture.batches.length).fill(learning_rate),
    losses: fixture.losses,
    after: trainable(network, fixture.after),
    running: runningStatistics(network, fixture.running),
    evaluation: fixture.eval,
  };
}

/** A run of AdamW. PyTorch and our engines each draw the examples themselves. */
export interface PyTorchRecipe {
  /** Order, targets and teacher. */
  readonly name: string;
  readonly setup: EngineSetup;
  readonly learningRates: Float32Array<ArrayBuffer>;
  readonly losses: readonly number[];
  /** Every parameter and running statistic after the last step. */
  readonly after: Parameters;
}

/** Returns the runs of the fixture: all orders, targets and teachers. */
export function pytorchRecipes(): PyTorchRecipe[] {
  const {
    block_size: contextLength,
    embedding,
    hidden,
    folds,
    vocab,
    batch,
    seed,
    steps,
    adamw,
  } = recipe.config;
  const network = buildNetwork(architecture({ contextLength, embedding, hidden, folds }), vocab);
  const ids = recipe.words.flatMap((word) => [...word].map((letter) => letter.charCodeAt(0) - 96).concat(0));
  const stream = Uint8Array.from([0, ...ids]);
  const [beta1 = 0, beta2 = 0] = adamw.betas;
  const { eps: epsilon, weight_decay: weightDecay } = adamw;
  return recipe.runs.map(({ order, targets, teacher, losses, after, running }) => {
    // The fixture uses our names for these.
    const choice = { order, targets, teacher, steps } as ExampleChoice;
    const examples = prepareExamples(stream, network, choice);
    return {
      name: `${order} order, ${targets} targets, teacher ${teacher}`,
      setup: {
        network,
        parameters: new Map([
          ...trainable(network, recipe.before),
          ...runningStatistics(network, untouched({ running })),
        ]),
        optimizer: { type: "adamw", beta1, beta2, epsilon, weightDecay },
        stream,
        ...(examples ? { examples } : {}),
        seed,
        batchSize: batch,
      },
      learningRates: new Float32Array(steps).fill(adamw.lr),
      losses,
      after: new Map([...trainable(network, after), ...runningStatistics(network, running)]),
    };
  });
}

/**
 * Returns the allowed difference between a tensor and PyTorch's: 1e-4 of the largest update, plus float32 rounding.
 *
 * Each step rounds on both sides, by at most half a unit in the last place. These errors add up like a random walk.
 * They matter for a tensor that hardly changes, such as gamma, which stays near 1. The allowance is one unit times
 * the root of the number of steps: 3.5 standard deviations of one side's error, about the largest of a few hundred.
 */
export function allowedDifference(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  steps: number,
): number {
  let moved = 0;
  let largest = 0;
  for (let i = 0; i < after.length; i++) {
    moved = Math.max(moved, Math.abs((after[i] ?? 0) - (before[i] ?? 0)));
    largest = Math.max(largest, Math.abs(after[i] ?? 0));
  }
  return 1e-4 * moved + 2 * Math.sqrt(steps) * 2 ** -24 * largest;
}

/** Returns the largest difference between two tensors; infinite if their lengths differ or one has a NaN. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? 0) - (b[i] ?? 0));
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, difference);
  }
  return largest;
}

/** Initial running statistics. */
function untouched({ running }: Pick<Fixture, "running">): Fixture["running"] {
  return running.map(({ mean, var: variance }) => ({
    mean: mean.map(() => 0),
    var: variance.map(() => 1),
  }));
}

function trainable(network: Network, values: Record<string, number[]>): Parameters {
  const { embedding, levels, head } = parts(network);
  const named: [string, string | undefined][] = [
    [embedding, "embedding"],
    ...levels.flatMap((block, i): [string, string][] => [
      [block.weight, `block${i}.weight`],
      [block.norm?.gamma ?? "", `block${i}.gamma`],
      [block.norm?.beta ?? "", `block${i}.beta`],
    ]),
    [head.weight, "out.weight"],
    [head.bias ?? "", "out.bias"],
  ];
  return new Map(named.map(([ours, theirs]) => [ours, Float32Array.from(values[theirs ?? ""] ?? [])]));
}

function runningStatistics(network: Network, running: Fixture["running"]): Parameters {
  return new Map(
    parts(network).levels.flatMap(({ norm }, i): [string, Float32Array<ArrayBuffer>][] => [
      [norm?.runningMean ?? "", Float32Array.from(running[i]?.mean ?? [])],
      [norm?.runningVariance ?? "", Float32Array.from(running[i]?.var ?? [])],
    ]),
  );
}

function parts(network: Network): { embedding: string; levels: readonly Block[]; head: Block } {
  const chain = network.chain;
  const head = chain?.blocks.at(-1);
  if (!chain || !head) throw new Error("The fixture's architecture is no chain of blocks.");
  return { embedding: chain.embedding.weight, levels: chain.blocks.slice(0, -1), head };
}

/** Turns each example into the tokens `0 context target`. The 0 separates the context from the tokens before it. */
function minibatches(fixture: Fixture): Pick<PyTorchRun, "stream" | "positions"> {
  const tokens: number[] = [];
  const positions: number[] = [];
  for (const { contexts, targets } of fixture.batches)
    for (const [row, context] of contexts.entries()) {
      tokens.push(0, ...context.filter((token) => token !== 0), targets[row] ?? 0);
      positions.push(tokens.length - 1);
    }
  tokens.push(0);
  const stream = Uint8Array.from(tokens);
  if (positions.some((position) => position > exampleCount(stream)))
    throw new Error("A minibatch reaches past the end of its stream.");
  return { stream, positions: Uint32Array.from(positions) };
}
