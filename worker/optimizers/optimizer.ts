/**
 * What an optimiser is. Think of one as a rule that moves each trainable parameter along its
 * gradient, and of its state as tensors beside that parameter, of the same shape. All that is known
 * of a rule is in its own file in this folder; docs/extending.md says how to add one.
 *
 * Running statistics are not trained; every trainable parameter is treated alike, as PyTorch does.
 */
import type * as TF from "@tensorflow/tfjs";
import type * as v from "valibot";
import type { Parameters } from "../model/layer";

/** An optimiser's state: for each of its names, a tensor for each trainable parameter. */
export type OptimizerState = ReadonlyMap<string, Parameters>;

/** What is to be known of a state's numbers. */
export interface StateFacts {
  /** True for means of squares: a file with a negative one is damaged. */
  readonly nonNegative?: true;
}

/** What the rules of the wasm engine are switched on with: kernels/optimizer.ts. */
export interface WasmRules {
  useSGD(): void;
  useAdamW(beta1: number, beta2: number, epsilon: number): void;
}

/**
 * A kind of optimiser: what a file of this folder defines.
 *
 * @template Spec how a caller describes one
 * @template Options the same with every default filled in
 * @template State names of its state
 */
export interface OptimizerKind<
  Spec extends { type: string } = { type: string },
  Options extends Spec = Spec,
  State extends string = string,
> {
  /** Checks a description and fills in its defaults, which stand nowhere else. */
  readonly schema: v.GenericSchema<Spec, Options>;
  /** Peak learning rate if the caller gives none. */
  readonly learningRate: number;
  /** Its state, in the order the engines keep it; every number begins at 0. */
  readonly state: Readonly<Record<State, StateFacts>>;
  /**
   * What changes from step to step, at most four numbers, worked out in double precision for every
   * engine alike.
   *
   * @param t steps since the training began, this one included
   * @param rate learning rate of this step
   */
  factors(options: Options, t: number, rate: number): readonly number[];
  /**
   * One step in tfjs, for all parameters: numbers that they share are made tensors once, because a
   * bare number would be sent to the device for each of them.
   *
   * @param factors those of the step
   * @returns the rule for one parameter `p` with gradient `g`: its new value and state
   */
  tfjs(
    options: Options,
    tf: typeof TF,
    factors: readonly TF.Scalar[],
  ): (
    p: TF.Tensor,
    g: TF.Tensor,
    state: Readonly<Record<State, TF.Tensor>>,
  ) => { readonly [Name in State | "p"]: TF.Tensor };
  /** Switches the wasm engine's rule on. Without it, that engine refuses the optimiser. */
  wasm?(options: Options, rules: WasmRules): void;
  /**
   * The WGSL expressions of a step, or none: then the webgpu engine refuses the optimiser. They may use
   * `p`, `g`, the state by its names (vec4f each), and the factors `step.rate`, `step.root`,
   * `step.keep`; the new state comes first, in its order, and can be used in `p`.
   */
  wgsl?(options: Options): { readonly [Name in State | "p"]: string };
}
