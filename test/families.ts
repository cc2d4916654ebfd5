/**
 * PyTorch's runs of the families that read words (test/fixtures), converted for this project's engines: a network, its
 * numbers before and after, and the minibatches as word starts in a token stream.
 */
import { expect, test } from "vitest";
import type { Engine, EngineSetup } from "../worker/engines/engine";
import type { TfjsOptions } from "../worker/engines/tfjs";
import { createTfjsPredictor } from "../worker/engines/tfjs/predictor";
import { type ArchitectureSizes, architecture } from "../worker/model/architectures";
import type { Parameters } from "../worker/model/layer";
import { buildNetwork, type Network } from "../worker/model/network";
import bigram from "./fixtures/pytorch-bigram.json";
import bow from "./fixtures/pytorch-bow.json";
import gru from "./fixtures/pytorch-gru.json";
import lstm from "./fixtures/pytorch-lstm.json";
import microgpt from "./fixtures/pytorch-microgpt.json";
import narrowMicrogpt from "./fixtures/pytorch-microgpt-hidden.json";
import rnn from "./fixtures/pytorch-rnn.json";
import transformer from "./fixtures/pytorch-transformer.json";
import narrowTransformer from "./fixtures/pytorch-transformer-hidden.json";
import { allowedDifference, largestDifference, type PyTorchTraining } from "./pytorch";

interface Fixture {
  readonly config: {
    readonly layers: number;
    readonly heads: number;
    readonly embedding: number;
    /** Width of a recurrent cell or of the bag of words. */
    readonly hidden?: number;
    /** Channels of the hidden layer of a block's MLP. */
    readonly mlp?: number;
    readonly vocab: number;
    readonly context: number;
    readonly batch: number;
    readonly learning_rate: number;
    readonly parameters: number;
  };
  readonly before: Readonly<Record<string, Tensor | undefined>>;
  readonly after: Readonly<Record<string, Tensor | undefined>>;
  /** Targets of padding are -1. */
  readonly batches: readonly { readonly targets: readonly (readonly number[])[] }[];
  readonly losses: readonly number[];
  readonly eval: { readonly tokens: readonly (readonly number[])[]; readonly logits: readonly number[] };
}

interface Tensor {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

const fixtures = { bigram, bow, rnn, gru, lstm, transformer, microgpt } satisfies Record<string, Fixture>;
/** Fixtures whose MLP is not four times as wide as the block. */
const narrow = { transformer: narrowTransformer, microgpt: narrowMicrogpt } satisfies Record<string, Fixture>;

/** A family of models that read words. */
export type Family = keyof typeof fixtures;

/** Every family. */
export const families: readonly Family[] = ["bigram", "bow", "rnn", "gru", "lstm", "transformer", "microgpt"];

/** A run of one of these models. */
export interface FamilyRun extends PyTorchTraining {
  /** After the last step: words padded at their ends, [rows, time], and the logits of each position. */
  readonly evaluation: {
    readonly tokens: readonly (readonly number[])[];
    readonly logits: readonly number[];
  };
  /** Number of the model's parameters, as PyTorch counts them. */
  readonly parameterCount: number;
}

/** PyTorch's run of a family, at the fixture's size. */
export function familyRun(family: Family): FamilyRun {
  return runOf(family, fixtures[family]);
}

function runOf(family: Family, fixture: Fixture): FamilyRun {
  const { vocab, batch, learning_rate, parameters } = fixture.config;
  const network = buildNetwork(architecture(sizesOf(family, fixture)), vocab);
  const tokens = [0];
  const positions: number[] = [];
  for (const { targets } of fixture.batches)
    for (const row of targets) {
      positions.push(tokens.length);
      // The targets of a word are its characters and the boundary after it.
      tokens.push(...row.filter((token) => token >= 0));
    }
  return {
    network,
    parameters: ours(network, fixture.before),
    stream: Uint8Array.from(tokens),
    positions: Uint32Array.from(positions),
    batchSize: batch,
    learningRates: new Float32Array(fixture.batches.length).fill(learning_rate),
    losses: fixture.losses,
    after: ours(network, fixture.after),
    evaluation: fixture.eval,
    parameterCount: parameters,
  };
}

/** Returns the fixture's sizes that apply to the family. */
function sizesOf(family: Family, { config }: Fixture): ArchitectureSizes {
  const { layers, heads, embedding, hidden, mlp, context: contextLength } = config;
  switch (family) {
    case "bigram":
      return { type: family };
    case "bow":
      return { type: family, embedding, hidden, contextLength };
    case "transformer":
    case "microgpt":
      return { type: family, layers, heads, embedding, hidden: mlp, contextLength };
    default:
      return { type: family, embedding, hidden };
  }
}

/** Returns the fixture's values by our names. Checks the shape of each. */
function ours(network: Network, values: Fixture["before"]): Parameters {
  const theirs = names(network);
  return new Map(
    network.parameters.map(({ name, shape }) => {
      const tensor = values[theirs.get(name) ?? ""] ?? expect.fail(`PyTorch has no ${name}.`);
      expect([name, ...shape]).toEqual([name, ...tensor.shape]);
      return [name, Float32Array.from(tensor.values)];
    }),
  );
}

/** Returns PyTorch's name for each of our parameter names. */
function names(network: Network): Map<string, string> {
  const cells: Readonly<Record<string, string>> = { update: "cellz", reset: "cellr", candidate: "celln" };
  const last = network.layers.at(-1)?.name;
  const isBlocks = network.layers.some((layer) =>
    layer.layers?.some(({ spec }) => spec.type === "CausalSelfAttention"),
  );
  const norms = network.parameters.filter(({ name }) => /^layerNorm\d+\.weight$/.test(name)).length;
  const translate = (name: string): string => {
    const [layer = "", ...rest] = name.split(".");
    const part = rest.join(".");
    const number = Number(/\d+$/.exec(layer)?.[0] ?? 1) - 1;
    const block = Math.floor(number / 2);
    if (layer === "embedding") return network.layers.length === 1 ? "table" : "wte";
    if (layer === "positionEmbedding") return "wpe";
    if (layer === last) return `head.${part}`;
    if (layer.startsWith("causalSelfAttention")) return `block${number}.${part}`;
    if (layer.startsWith("layerNorm"))
      return number === norms - 1 ? `norm.${part}` : `block${block}.norm${1 + (number % 2)}.${part}`;
    if (layer.startsWith("linear"))
      return isBlocks
        ? `block${block}.${number % 2 === 0 ? "fc" : "mlp"}.${part}`
        : `${number === 0 ? "fc" : "proj"}.${part}`;
    const [gate = "", ...suffix] = rest;
    if (part === "start") return part;
    return cells[gate] ? `${cells[gate]}.${suffix.join(".")}` : `cell.${part}`;
  };
  return new Map(network.parameters.map(({ name }) => [name, translate(name)]));
}

/** Computes a network's logits with these parameters, for each position of words padded at their ends, [rows, time]. */
type Logits = (
  network: Network,
  parameters: Parameters,
  tokens: readonly (readonly number[])[],
) => Promise<ArrayLike<number>>;

/** Computes the logits of words with tfjs's predictor, for `testFamilies`. */
export function tfjsLogits(options: TfjsOptions): Logits {
  return async (network, parameters, tokens) => {
    const predictor = await createTfjsPredictor(network, tokens.length, options);
    predictor.load(parameters);
    return predictor.predict(Uint32Array.from(tokens.flat()), tokens[0]?.length ?? 0);
  };
}

/**
 * Defines the tests that compare an engine with PyTorch's runs of every family.
 *
 * @param create makes the engine; the tests dispose of it
 * @param backend the expected `backend` of the engine
 */
export function testFamilies(
  create: (setup: EngineSetup) => Promise<Engine>,
  backend: Engine["backend"],
  logits: Logits,
): void {
  const runs = [
    ...families.map((family) => [family, familyRun(family)] as const),
    ...(["transformer", "microgpt"] as const).map(
      (family) => [`${family} with hidden`, runOf(family, narrow[family])] as const,
    ),
  ];
  test.each(runs)("follows PyTorch step by step: %s", async (_, run) => {
    const { network, parameters, stream, batchSize } = run;
    const setup = { network, parameters, stream, batchSize, seed: 0, optimizer: { type: "sgd" } as const };
    const engine = await create(setup);
    try {
      expect(engine.backend).toBe(backend);
      const losses = await engine.run(0, run.learningRates, run.positions);
      expect(largestDifference(losses, run.losses)).toBeLessThan(1e-5);
      const state = await engine.read();
      expect([...state.parameters.keys()].sort()).toEqual([...run.after.keys()].sort());
      for (const [name, after] of run.after) {
        const before = parameters.get(name) ?? [];
        const difference = largestDifference(state.parameters.get(name) ?? [], after);
        expect(difference, name).toBeLessThanOrEqual(allowedDifference(before, after, losses.length));
      }
      const { tokens, logits: expected } = run.evaluation;
      const width = network.vocabularySize;
      // A predictor's numbers for padding are arbitrary.
      const isReal = tokens.flatMap((row) => row.map((token, place) => place === 0 || token !== 0));
      const real = (values: ArrayLike<number>) =>
        Array.from(values).filter((_, i) => isReal[Math.floor(i / width)]);
      const answers = await logits(network, state.parameters, tokens);
      expect(answers.length).toBe(expected.length);
      expect(largestDifference(real(answers), real(expected))).toBeLessThan(1e-4);
    } finally {
      engine.dispose();
    }
  });
}
