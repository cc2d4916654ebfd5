import type { Order, Targets, Teacher } from "../data/examples";
import type { Fingerprint } from "../data/fingerprint";
import type { Vocabulary } from "../data/vocabulary";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import type { Optimizer } from "../optimizers";
import type { OptimizerState } from "../optimizers/optimizer";
import type { ResolvedSchedule } from "./schedule";

/** All settings of a training, with the defaults of `train`'s options filled in. */
export interface Recipe {
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: ResolvedSchedule;
  readonly optimizer: Optimizer;
  readonly order: Order;
  readonly targets: Targets;
  readonly teacher: Teacher;
  readonly seed: number;
  readonly split: readonly [number, number, number];
  readonly shuffle: boolean;
  readonly keepBest: boolean;
  readonly patience: number;
}

/**
 * Snapshot of a model: the content of an .onnx file, the input of sampling, and the point from which training
 * continues. It is immutable.
 */
export interface Checkpoint {
  readonly vocabulary: Vocabulary;
  readonly network: Network;
  readonly parameters: Parameters;
  /** Steps done. */
  readonly step: number;
  readonly recipe: Recipe;
  /** Fingerprint of the words that it learns from; absent in files of 0.1.0. */
  readonly words?: Fingerprint;
  /** Absent for an optimiser without state, and in a file that was exported without its training state. */
  readonly optimizerState?: OptimizerState;
}
