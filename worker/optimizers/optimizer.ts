/**
 * What an optimiser is: a rule that updates each trainable parameter from its gradient and from its own state, which is
 * a set of tensors of the parameter's shape. Each rule is in its own file in this folder; docs/extending.md explains how
 * to add one.
 *
 * All trainable parameters follow the same rule, as in PyTorch. Running statistics are not trained.
 */
import type * as TF from "@tensorflow/tfjs";
import type * as v from "valibot";
import type { Parameters } from "../model/layer";

/** An optimiser's state: for each state name, a tensor per trainable parameter. */
export type OptimizerState = ReadonlyMap<string, Parameters>;

/** Properties of a state's numbers. */
export interface StateFacts {
  /** True for means of squares: a file with a negative value is damaged. */
  readonly nonNegative?: true;
}

/** Selects the rule of the wasm engine (kernels/optimizer.ts). */
export interface WasmRules {
  useSGD(): void;
  useAdamW(beta1: number, beta2: number, epsilon: number): void;
}

/**
 * A kind of optimiser: what a file of this folder defines.
 *
 * @template Spec how a caller describes such an optimiser
 * @template Options the same with all defaults filled in
 * @template State the names of its state
 */
export interface OptimizerKind<
  Spec extends { type: string } = { type: string },
  Options extends Spec = Spec,
  State extends string = string,
> {
  /** Checks a description and fills in its defaults. */
  readonly schema: v.GenericSchema<Spec, Options>;
  /** Default peak of the learning rate. */
  readonly learningRate: number;
  /** Its state, in the order in which engines store it; initially all 0. */
  readonly state: Readonly<Record<State, StateFacts>>;
  /**
   * Computes the numbers that change from step to step, at most four, in double precision for all engines.
   *
   * @param t steps since the training began, this one included
   * @param rate learning rate of the step
   */
  factors(options: Options, t: number, rate: number): readonly number[];
  /**
   * Makes one step in tfjs. Shared numbers become tensors once per step, because tfjs would send a plain number to the
   * device again for each parameter.
   *
   * @param factors the factors of the step
   * @returns a function that computes the new value and state of a parameter `p` with gradient `g`
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
  /** Selects the wasm engine's rule. Without it, the wasm engine refuses the optimiser. */
  wasm?(options: Options, rules: WasmRules): void;
  /**
   * Returns the WGSL expressions of a step. Without it, the WebGPU engine refuses the optimiser. They may use `p`, `g`
   * and the state by name (vec4f each), and the factors `step.rate`, `step.root` and `step.keep`. The state is updated
   * first, in order, so that `p` can use the new values.
   */
  wgsl?(options: Options): { readonly [Name in State | "p"]: string };
}
