/** Answers of a fake worker to `train`. */
import type { ModelInfo, Progress, TrainResult } from "../../src/types";

export const model: ModelInfo = {
  contextLength: 8,
  vocabulary: ["a", "b"],
  layers: [],
  parameters: 7,
  step: 0,
  steps: 9,
};
export const progress: Progress = {
  step: 1,
  steps: 2,
  loss: 3,
  stepsPerSecond: 4,
  secondsLeft: 5,
  backend: "wasm",
  device: "simd",
};
export const result: TrainResult = {
  step: 2,
  steps: 2,
  copies: 0,
  stopped: false,
  backend: "wasm",
  device: "simd",
  seconds: 1,
  losses: new Float32Array([3, 2]),
  smoothed: { size: 1, losses: new Float32Array([3, 2]) },
  words: { count: 2, dropped: 0, repeated: 0, split: { train: 2, validation: 0, test: 0 } },
  model: { ...model, step: 2 },
  notices: [],
};
