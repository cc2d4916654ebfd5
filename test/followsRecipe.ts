/** An engine beside PyTorch's run of a recipe. */
import { expect } from "vitest";
import type { Engine, EngineSetup } from "../worker/engines/engine";
import { allowedDifference, largestDifference, type PyTorchRecipe } from "./pytorch";

/** Runs an engine through a recipe and compares losses and parameters. */
export async function followsRecipe(
  { setup, learningRates, losses, after }: PyTorchRecipe,
  make: (setup: EngineSetup) => Promise<Engine>,
): Promise<void> {
  const engine = await make(setup);
  expect(largestDifference(await engine.run(0, learningRates), losses)).toBeLessThan(1e-5);
  const { parameters } = await engine.read();
  for (const [key, expected] of after) {
    const allowed = allowedDifference(setup.parameters.get(key) ?? [], expected, losses.length);
    expect(largestDifference(parameters.get(key) ?? [], expected), key).toBeLessThan(allowed);
  }
}
