import { expect, test } from "vitest";
import { allowedDifference, largestDifference, pytorchRun } from "../pytorch";
import { Reference } from "../reference";

test.each(["mlp", "wavenet"] as const)("the float64 reference follows PyTorch: %s", (name) => {
  const run = pytorchRun(name);
  const { network, parameters, stream, batchSize } = run;
  const reference = new Reference({
    network,
    parameters,
    stream,
    batchSize,
    optimizer: { type: "sgd" },
    seed: 0,
  });
  // Only PyTorch's float32 rounding differs.
  expect(largestDifference(reference.run(0, run.learningRates, run.positions), run.losses)).toBeLessThan(
    1e-5,
  );
  for (const [key, expected] of [...run.after, ...run.running]) {
    const allowed = allowedDifference(parameters.get(key) ?? [], expected, run.losses.length);
    expect(largestDifference(reference.parameters.get(key) ?? [], expected), key).toBeLessThan(allowed);
  }
  const { contexts, logits } = run.evaluation;
  expect(largestDifference(reference.logits(contexts), logits.flat())).toBeLessThan(1e-4);
});
