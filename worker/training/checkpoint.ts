import type { Order, Targets, Teacher } from "../data/examples";
import type { Fingerprint } from "../data/fingerprint";
import type { Vocabulary } from "../data/vocabulary";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import type { Optimizer } from "../optimizers";
import type { OptimizerState } from "../optimizers/optimizer";
import type { ResolvedSchedule } from "./schedule";

/** How a training goes, with nothing left out: what `train`'s options come to. */
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
 * A model at a moment: what an .onnx file holds, what sampling runs on, and what training goes on
 * from. It is never changed, only replaced.
 */
export interface Checkpoint {
  readonly vocabulary: Vocabulary;
  readonly network: Network;
  readonly parameters: Parameters;
  /** Steps done. */
  readonly step: number;
  readonly recipe: Recipe;
  /** The words it learns; absent in a file of 0.1.0. */
  readonly words?: Fingerprint;
  /** Absent for an optimiser without state, and if a file was exported without its training state. */
  readonly optimizerState?: OptimizerState;
}
