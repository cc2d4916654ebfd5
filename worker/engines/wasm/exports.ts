import type { WasmRules } from "../../optimizers/optimizer";

/** Exports of kernels/index.ts. Addresses and lengths are numbers; a flag is 0 or 1, or a boolean. */
export interface Kernels extends WasmRules {
  readonly memory: { readonly buffer: ArrayBuffer };
  allocateStream(length: number): number;
  allocateNumbers(count: number): number;
  begin(
    stream: number,
    streamLength: number,
    batchSize: number,
    contextLength: number,
    vocabularySize: number,
    dimensions: number,
  ): void;
  drawExamples(even: boolean, sorted: number, count: number): void;
  useSoftTargets(ranks: number, contexts: number, pairs: number, teacher: number): void;
  addLevel(fold: number, fanOut: number, biased: boolean, tanh: boolean): void;
  addBatchNorm(momentum: number, epsilon: number): void;
  embeddingAddress(): number;
  weightAddress(level: number): number;
  biasAddress(level: number): number;
  gammaAddress(level: number): number;
  betaAddress(level: number): number;
  runningMeanAddress(level: number): number;
  runningVarianceAddress(level: number): number;
  positionsAddress(): number;
  contextsAddress(): number;
  refresh(): void;
  train(
    firstStep: number,
    steps: number,
    seed: number,
    factors: number,
    teacherWeights: number,
    losses: number,
    given: boolean,
  ): void;
  predict(logits: number): void;
  // kernels/words/index.ts
  allocateTensor(count: number): number;
  beginWords(
    stream: number,
    starts: number,
    words: number,
    even: boolean,
    batchSize: number,
    longest: number,
    vocabularySize: number,
    byLevel: boolean,
    hasPaths: boolean,
  ): void;
  useSoftWordTargets(prefixOf: number, firstPair: number, pairs: number, teacher: number): void;
  nodeCapacity(batchSize: number, longest: number, byLevel: boolean): number;
  pathCapacity(batchSize: number, longest: number): number;
  setLogits(values: number, space: number, capacity: number, width: number): number;
  setPlan(records: number, count: number): void;
  wordsAddress(): number;
  refreshPlan(): void;
  trainWords(
    firstStep: number,
    steps: number,
    seed: number,
    factors: number,
    teacherWeights: number,
    losses: number,
    given: boolean,
  ): void;
  predictWords(logits: number, time: number): void;
}
