/** Tests that every engine must pass. The test files of the unit and browser projects run them for their engines. */
import { afterEach, describe, expect, test } from "vitest";
import { drawBatch, exampleCount } from "../worker/data/dataset";
import { drawMinibatch, prepareExamples } from "../worker/data/examples";
import type { Engine, EngineSetup } from "../worker/engines/engine";
import type { Parameters } from "../worker/model/layer";
import { buildNetwork, initialParameters } from "../worker/model/network";
import { groupedStream, type Sizes, sgd, small, someRates, someSetup } from "./engineSetups";
import { expectMoments } from "./moments";
import { allowedDifference, largestDifference, type PyTorchRecipe, pytorchRun } from "./pytorch";
import { Reference } from "./reference";

/** A run to compare with the float64 reference. */
export interface ReferenceCase extends Sizes {
  readonly optimizer: EngineSetup["optimizer"];
}

/**
 * An engine in one build or on one device, and its test cases. They differ because a software GPU compiles kernels
 * for every shape, which would take minutes for all cases.
 */
export interface EngineUnderTest {
  readonly name: string;
  /** The expected `backend` and `device` of the engine. */
  readonly says: Partial<Pick<Engine, "backend" | "device">>;
  create(setup: EngineSetup): Promise<Engine>;
  /** PyTorch's runs of the lecture's architectures. */
  readonly runs: readonly ("mlp" | "wavenet")[];
  /** PyTorch's runs of AdamW in each order and with each kind of targets. */
  readonly recipes: readonly PyTorchRecipe[];
  readonly cases: readonly ReferenceCase[];
  /** Networks to train in each order and with each kind of targets. */
  readonly examplesWith: readonly Sizes[];
  /** Runs after each test, when all engines are disposed. */
  afterDispose?(): void | Promise<void>;
}

/** The optimisers and the number of steps of the runs that must repeat bit for bit. */
export interface RepeatedRuns {
  readonly optimizers: readonly EngineSetup["optimizer"][];
  readonly steps: number;
}

/** All combinations of order and targets, except random order with hard targets, which the other tests cover. */
const exampleChoices = [
  { order: "even", targets: "hard", teacher: "none" },
  { order: "even", targets: "soft", teacher: "ngram" },
  { order: "random", targets: "soft", teacher: "none" },
] as const;

/** Words with groups: group tokens are read, but never predicted. */
const groupedChoices = [
  { order: "random", targets: "hard", teacher: "none" },
  { order: "even", targets: "hard", teacher: "none" },
  { order: "even", targets: "soft", teacher: "ngram" },
] as const;

/** Returns a function that makes engines and disposes of them after each test. */
function creator({ create, afterDispose }: EngineUnderTest): EngineUnderTest["create"] {
  const made: Engine[] = [];
  afterEach(async () => {
    for (const engine of made.splice(0)) engine.dispose();
    await afterDispose?.();
  });
  return async (setup) => {
    const engine = await create(setup);
    made.push(engine);
    return engine;
  };
}

/** Defines the tests that compare an engine's numbers with PyTorch and a float64 reference. */
export function testNumbers(engines: readonly EngineUnderTest[]): void {
  describe.each(engines)("numbers: $name", (engine) => {
    const { runs, recipes, cases, examplesWith, says } = engine;
    const create = creator(engine);

    test.each(runs)("follows PyTorch step by step: %s", async (name) => {
      const run = pytorchRun(name);
      const { network, parameters, stream, batchSize } = run;
      const setup = { network, parameters, stream, batchSize, optimizer: sgd, seed: 0 };
      const trained = await create(setup);
      expect(trained).toMatchObject(says);
      const losses = await trained.run(0, run.learningRates, run.positions);
      expect(largestDifference(losses, run.losses)).toBeLessThan(1e-5);
      const state = await trained.read();
      expectFollows(state.parameters, new Map([...run.after, ...run.running]), parameters, losses.length);
      expect(state.optimizerState).toBeUndefined();
      const { contexts, logits } = run.evaluation;
      const evaluated = new Reference({ ...setup, parameters: state.parameters }).logits(contexts);
      expect(largestDifference(evaluated, logits.flat())).toBeLessThan(1e-4);
    });

    test.each(recipes)("follows PyTorch's recipe: $name", async ({ setup, learningRates, losses, after }) => {
      const trained = await create(setup);
      expect(largestDifference(await trained.run(0, learningRates), losses)).toBeLessThan(1e-5);
      const { parameters } = await trained.read();
      expectFollows(parameters, after, setup.parameters, losses.length);
    });

    test.each(cases)(
      "follows the float64 reference, $optimizer.type: $name",
      async ({ specs, vocabulary, batchSize, optimizer }) => {
        const setup = someSetup(buildNetwork(specs, vocabulary), { optimizer, batchSize });
        const reference = new Reference(setup);
        const trained = await create(setup);
        const rates = someRates(10, optimizer.type === "sgd" ? 0.1 : 0.002);
        expect(largestDifference(await trained.run(0, rates), reference.run(0, rates))).toBeLessThan(1e-5);
        const { parameters, optimizerState } = await trained.read();
        expectFollows(parameters, reference.parameters, setup.parameters, rates.length);
        if (optimizer.type === "sgd") expect(optimizerState).toBeUndefined();
        else expectMoments(optimizerState, reference.moments);
      },
    );

    test.each(exampleChoices.flatMap((choice) => examplesWith.map((sizes) => ({ choice, ...sizes }))))(
      "follows the float64 reference, $choice.order order, $choice.targets targets, teacher $choice.teacher: $name",
      async ({ choice, specs, vocabulary, batchSize }) => {
        const network = buildNetwork(specs, vocabulary);
        const { stream } = someSetup(network);
        const examples = prepareExamples(stream, network, { ...choice, steps: 10 });
        if (!examples) return expect.unreachable();
        const setup = someSetup(network, { optimizer: sgd, batchSize, examples });
        const reference = new Reference(setup);
        const trained = await create(setup);
        const rates = someRates(4, 0.1);
        // At a late step the number of drawn examples exceeds 2^32. A teacher works only in early steps.
        const first = choice.teacher === "none" ? 1_000_000_007 : 5;
        expect(largestDifference(await trained.run(first, rates), reference.run(first, rates))).toBeLessThan(
          1e-5,
        );
        const { parameters } = await trained.read();
        expectFollows(parameters, reference.parameters, setup.parameters, rates.length);
        // If the caller gives the positions, targets are hard.
        const positions = Uint32Array.from(
          { length: 2 * batchSize },
          (_, i) => 1 + ((i * 3) % exampleCount(stream)),
        );
        const two = someRates(2, 0.1);
        expect(
          largestDifference(await trained.run(0, two, positions), reference.run(0, two, positions)),
        ).toBeLessThan(1e-5);
      },
    );

    test.each(
      groupedChoices.flatMap((choice) =>
        examplesWith
          .filter(({ vocabulary }) => vocabulary > 4)
          .slice(0, 1)
          .map((sizes) => ({ choice, ...sizes })),
      ),
    )(
      "follows the float64 reference on words of groups, $choice.order order, $choice.targets targets",
      async ({ choice, specs, vocabulary, batchSize }) => {
        const network = buildNetwork(specs, vocabulary, 2);
        const stream = groupedStream(vocabulary);
        const examples = prepareExamples(stream, network, { ...choice, steps: 10 });
        if (!examples) return expect.unreachable();
        const setup = someSetup(network, { stream, optimizer: sgd, batchSize, examples });
        const drawn = Array.from({ length: 50 }, (_, step) => [...drawMinibatch(setup, step).positions]);
        for (const position of drawn.flat()) expect(stream[position]).toBeLessThan(network.firstGroup);
        const reference = new Reference(setup);
        const trained = await create(setup);
        const rates = someRates(4, 0.1);
        expect(largestDifference(await trained.run(5, rates), reference.run(5, rates))).toBeLessThan(1e-5);
        const { parameters } = await trained.read();
        expectFollows(parameters, reference.parameters, setup.parameters, rates.length);
      },
    );
  });
}

/** Defines the tests that compare runs with each other. */
export function testRuns(engines: readonly (EngineUnderTest & RepeatedRuns)[]): void {
  describe.each(engines)("runs: $name", (engine) => {
    const { optimizers, steps } = engine;
    const create = creator(engine);

    test("draws the minibatches that drawBatch draws", async () => {
      const setup = someSetup(small);
      const rates = someRates(20);
      const positions = Uint32Array.from(
        Array.from(rates, (_, i) => [
          ...drawBatch(setup.stream, setup.seed, 1000 + i, setup.batchSize),
        ]).flat(),
      );
      const [drawn, given] = [await create(setup), await create(setup)];
      expect(await drawn.run(1000, rates)).toEqual(await given.run(1000, rates, positions));
      expect(await drawn.read()).toEqual(await given.read());
    });

    test.each(optimizers)(
      "the same run gives the same bits, in any chunks and when continued from read(): $type",
      async (optimizer) => {
        const setup = someSetup(small, { optimizer });
        const rates = someRates(steps);
        const whole = await create(setup);
        const losses = await whole.run(0, rates);
        const state = await whole.read();

        const chunked = await create(setup);
        expect(await chunked.run(0, rates.subarray(0, 5))).toEqual(losses.slice(0, 5));
        const between = await chunked.read();
        expect(await chunked.run(5, rates.subarray(5))).toEqual(losses.slice(5));
        expect(await chunked.read()).toEqual(state);

        const resumed = await create({ ...setup, ...between });
        expect(await resumed.run(5, rates.subarray(5))).toEqual(losses.slice(5));
        expect(await resumed.read()).toEqual(state);
        expect(await resumed.run(steps, new Float32Array(0))).toEqual(new Float32Array(0));
        expect(await resumed.read()).toEqual(state);
      },
    );

    test.each(optimizers)(
      "after write(), an engine that has run gives the same bits as a new one: $type",
      async (optimizer) => {
        const setup = someSetup(small, { optimizer });
        const rates = someRates(steps);
        const fresh = await create(setup);
        const losses = await fresh.run(0, rates);
        const state = await fresh.read();

        // Without the optimiser's state, which then is zero, and with it.
        const used = await create({ ...setup, parameters: state.parameters });
        await used.run(7, new Float32Array(3));
        await used.run(0, rates);
        await used.write({ parameters: setup.parameters });
        const start = await used.read();
        expect(await used.run(0, rates.subarray(0, 5))).toEqual(losses.slice(0, 5));
        const between = await used.read();
        await used.run(5, rates);
        await used.write(between);
        expect(await used.run(5, rates.subarray(5))).toEqual(losses.slice(5));
        expect(await used.read()).toEqual(state);
        expect(start).toEqual(await (await create(setup)).read());
      },
    );

    test("read() between two runs changes nothing, and returns copies", async () => {
      const setup = someSetup(small);
      const [watched, alone] = [await create(setup), await create(setup)];
      const rates = someRates(3);
      await watched.run(0, rates);
      const early = await watched.read();
      const copy = structuredClone(early);
      await watched.run(3, rates);
      expect(early).toEqual(copy);
      await alone.run(0, rates);
      await alone.run(3, rates);
      expect(await watched.read()).toEqual(await alone.read());
      expect(setup.parameters).toEqual(initialParameters(small, 1));
    });

    test("dispose() can be called twice", async () => {
      const trained = await create(someSetup(small));
      await trained.run(0, someRates(1));
      trained.dispose();
      expect(() => trained.dispose()).not.toThrow();
    });
  });
}

function expectFollows(
  actual: Parameters,
  expected: ReadonlyMap<string, ArrayLike<number>>,
  before: Parameters,
  steps: number,
): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, values] of expected) {
    // The gradient of a bias before a norm is 0. The reference has a float64 rounding error instead, hence 1e-10.
    const allowed = 1e-10 + allowedDifference(before.get(name) ?? [], values, steps);
    expect(largestDifference(actual.get(name) ?? [], values), name).toBeLessThanOrEqual(allowed);
  }
}
