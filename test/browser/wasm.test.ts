/** The wasm engine in a real browser: both builds, and a comparison with the tfjs engine. */
import { expect, test } from "vitest";
import { createTfjsEngine } from "../../worker/engines/tfjs";
import { createWasmEngine } from "../../worker/engines/wasm";
import { createWasmPredictor } from "../../worker/engines/wasm/predictor";
import { architecture } from "../../worker/model/architectures";
import { buildNetwork, initialParameters } from "../../worker/model/network";
import { oddSizes, sgd, someSetup } from "../engineSetups";
import { testFamilies } from "../families";
import { allowedDifference, largestDifference } from "../pytorch";
import { testWasmEngine } from "../wasmEngine";

const wasmURL = new URL(
  "/node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
  location.href,
);

testWasmEngine("relaxed-simd");
testWasmEngine("simd");
testFamilies(
  (setup) => createWasmEngine(setup, "relaxed-simd"),
  "wasm",
  async (network, parameters, tokens) => {
    const predictor = await createWasmPredictor(network, tokens.length, "relaxed-simd");
    predictor.load(parameters);
    return predictor.predict(Uint32Array.from(tokens.flat()), tokens[0]?.length ?? 0);
  },
);

test("the best build that this browser supports is used", async () => {
  const network = buildNetwork(architecture("wavenet"), 27);
  const engine = await createWasmEngine(setup(network));
  expect(engine.device).toBe("relaxed-simd");
  engine.dispose();
});

test("200 steps of the lecture's model agree with tfjs", async () => {
  const network = buildNetwork(architecture("wavenet"), 27);
  const rates = new Float32Array(200).fill(0.1);
  const tfjs = await createTfjsEngine(setup(network), { backend: "wasm", wasmURL });
  const expected = await tfjs.run(0, rates);
  tfjs.dispose();
  for (const build of ["relaxed-simd", "simd"] as const) {
    const engine = await createWasmEngine(setup(network), build);
    expect(largestDifference(await engine.run(0, rates), expected), build).toBeLessThan(1e-4);
    engine.dispose();
  }
});

test.each(oddSizes)("agrees with tfjs: $name", async ({ specs, vocabulary, batchSize }) => {
  const setup = someSetup(buildNetwork(specs, vocabulary), { optimizer: sgd, batchSize });
  const rates = new Float32Array(4).fill(0.05);
  const tfjs = await createTfjsEngine(setup, { backend: "wasm", wasmURL });
  const expected = await tfjs.run(0, rates);
  const { parameters } = await tfjs.read();
  tfjs.dispose();
  for (const build of ["relaxed-simd", "simd"] as const) {
    const engine = await createWasmEngine(setup, build);
    // Two float32 computations in different orders: twice the rounding of one. tfjs adds up the examples of a
    // batch one by one, and rounds each time.
    const rounding = Math.max(2e-5, batchSize * 2 ** -24);
    expect(largestDifference(await engine.run(0, rates), expected), build).toBeLessThan(rounding);
    const got = await engine.read();
    engine.dispose();
    for (const [name, values] of parameters) {
      const allowed = 2 * allowedDifference(setup.parameters.get(name) ?? [], values, rates.length);
      expect(largestDifference(got.parameters.get(name) ?? [], values), name).toBeLessThanOrEqual(allowed);
    }
  }
});

function setup(network: ReturnType<typeof buildNetwork>) {
  return {
    network,
    parameters: initialParameters(network, 42),
    optimizer: { type: "sgd" },
    stream: words(),
    seed: 42,
    batchSize: 32,
  } as const;
}

/** Generates three thousand words of 2 to 9 letters, in which some pairs of letters are likelier than others. */
function words(): Uint8Array<ArrayBuffer> {
  const tokens = [0];
  let letter = 1;
  for (let i = 0; i < 3000; i++) {
    for (let k = 0; k < 2 + ((i * i) % 8); k++) {
      letter = 1 + ((letter * 5 + ((i * 31 + k * 17) % 7)) % 26);
      tokens.push(letter);
    }
    tokens.push(0);
  }
  return Uint8Array.from(tokens);
}
