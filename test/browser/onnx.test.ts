import * as ort from "onnxruntime-web/wasm";
import { beforeAll, describe, expect, test } from "vitest";
import { incrementalGraph } from "../../worker/onnx/incremental";
import { writeONNX } from "../../worker/onnx/write";
import { sampleSettings } from "../../worker/options";
import { Inference } from "../../worker/sampling/inference";
import { pytorchCheckpoint } from "../checkpoint";
import { families } from "../families";
import { largestDifference, pytorchRun } from "../pytorch";
import { scoreWords } from "../scores";
import { charactersOf, familyCheckpoint, sequenceLogits, stepLogits, surprisesOf } from "../wordForms";

beforeAll(() => {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = {
    wasm: new URL("../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm", import.meta.url)
      .href,
  };
});

describe.each(["mlp", "wavenet"] as const)("%s in onnxruntime-web", (name) => {
  const { contexts, logits } = pytorchRun(name).evaluation;
  const checkpoint = pytorchCheckpoint(name);
  const tokens = () =>
    new ort.Tensor("int32", Int32Array.from(contexts.flat()), [contexts.length, contexts[0]?.length ?? 0]);

  test.each([
    ["window", "context"],
    ["convolution", "tokens"],
  ] as const)("the %s form gives PyTorch's logits", async (form, input) => {
    const session = await ort.InferenceSession.create(writeONNX(checkpoint, { form, trainingState: true }));
    const { logits: output } = await session.run({ [input]: tokens() });
    const width = checkpoint.vocabulary.size;
    const values = output?.data instanceof Float32Array ? [...output.data] : [];
    const perWord = values.length / contexts.length;
    // Only the last position of the convolution sees the whole context.
    const last = contexts.flatMap((_, row) => values.slice((row + 1) * perWord - width, (row + 1) * perWord));
    expect(largestDifference(last, logits.flat())).toBeLessThan(1e-4);
    await session.release();
  });

  test("the incremental form gives PyTorch's logits, one character at a time", async () => {
    const { network, parameters } = checkpoint;
    const chain = network.chain;
    if (!chain) throw new Error("The model is not a chain of blocks, as the lecture's are.");
    const { states, width } = incrementalGraph(network, chain, parameters);
    const file = writeONNX(checkpoint, { form: "incremental", trainingState: true });
    const session = await ort.InferenceSession.create(file);
    const batch = contexts.length;
    // Run all contexts as one batch, after enough boundaries to fill every queue.
    const past = contexts.map((context) => [
      ...new Array<number>(2 * network.contextLength).fill(0),
      ...context,
    ]);
    const queues = states.map(({ delay, channels }) =>
      new Array<ort.Tensor>(delay).fill(
        new ort.Tensor("float32", new Float32Array(batch * channels), [batch, channels]),
      ),
    );
    let last: readonly number[] = [];
    for (let t = width; t <= (past[0]?.length ?? 0); t++) {
      const recent = past.flatMap((tokens) => tokens.slice(t - width, t));
      const feeds: Record<string, ort.Tensor> = {
        tokens: new ort.Tensor("int32", Int32Array.from(recent), [batch, width]),
      };
      for (const [i, { input }] of states.entries()) {
        const earlier = queues[i]?.shift();
        if (earlier) feeds[input] = earlier;
      }
      const outputs = await session.run(feeds);
      for (const [i, { output }] of states.entries()) {
        const later = outputs[output];
        if (later) queues[i]?.push(later);
      }
      last = outputs.logits?.data instanceof Float32Array ? [...outputs.logits.data] : [];
    }
    expect(largestDifference(last, logits.flat())).toBeLessThan(1e-4);
    await session.release();
  });

  test("score gives the likeliest first character the surprise that PyTorch computes", async () => {
    const inference = new Inference(async () => ort, checkpoint);
    const settings = sampleSettings(20, { seed: 1, topK: 1, maxLength: 12, minLength: 0 });
    const [greedy = ""] = await inference.sample(20, settings);
    const [score] = await scoreWords(inference, checkpoint.vocabulary, [greedy]);
    const first = logits[contexts.findIndex((context) => context.every((token) => token === 0))] ?? [];
    const surprise = Math.log(first.reduce((sum, x) => sum + Math.exp(x), 0)) - Math.max(...first);
    expect(score?.surprises[0]?.surprise).toBeCloseTo(surprise, 4);
    await inference.dispose();
  });

  test("evaluate gives the mean of score's numbers", async () => {
    const inference = new Inference(async () => ort, checkpoint);
    const words = ["emma", "olivia", "a", "emma", "isabellamariaantoinette"];
    const stream = Uint8Array.from([
      0,
      ...words.flatMap((word) => [...checkpoint.vocabulary.encode(word), 0]),
    ]);
    const surprises = (await scoreWords(inference, checkpoint.vocabulary, words)).flatMap((score) =>
      score.surprises.map((s) => s.surprise),
    );
    const mean = surprises.reduce((sum, x) => sum + x, 0) / surprises.length;
    expect(await inference.evaluate(stream)).toBeCloseTo(mean, 10);
    await inference.dispose();
  });
});

describe.each(families)("%s in onnxruntime-web", (family) => {
  const { tokens, logits, ...checkpoint } = familyCheckpoint(family);

  test.each([
    ["sequence", sequenceLogits],
    ["incremental", stepLogits],
  ] as const)("the %s form gives PyTorch's logits", async (_, run) => {
    const { dims, values } = await run(ort, checkpoint, tokens);
    expect(dims).toEqual([tokens.length, tokens[0]?.length, checkpoint.vocabulary.size]);
    // Float32 rounding; the file has PyTorch's numbers with nine decimals.
    expect(largestDifference(values, logits)).toBeLessThan(1e-4);
  });

  test("score agrees with PyTorch's logits", async () => {
    const inference = new Inference(async () => ort, checkpoint);
    const words = charactersOf(tokens);
    const texts = words.map((word) => checkpoint.vocabulary.decode(word));
    const scores = await scoreWords(inference, checkpoint.vocabulary, texts);
    const surprises = scores.flatMap((score) => score.surprises.map(({ surprise }) => surprise));
    expect(largestDifference(surprises, surprisesOf(words, logits))).toBeLessThan(1e-4);
    await inference.dispose();
  });
});
