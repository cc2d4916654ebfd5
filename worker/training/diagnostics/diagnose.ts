/**
 * What part 3 of the lecture looks at during a training: the activations of each layer and their gradients, and how far
 * a step moves each parameter. The first two come from a forward and a backward pass of its own (tape.ts), and the third
 * from the parameters before and after the step. So the numbers mean the same for every engine and optimiser.
 */
import type * as TF from "@tensorflow/tfjs";
import type { Diagnostics, LayerDiagnostics, ParameterDiagnostics } from "../../../src/types";
import { type ForwardContext, forwardOf, type Parameters } from "../../model/layer";
import type { Network } from "../../model/network";
import { distributionOf } from "./distribution";
import type { DiagnosedExamples } from "./examples";
import { constants, operations, softmaxRows, Tape, Tensor } from "./tape";

/** A tanh beyond this is saturated, as in the lecture: it passes back less than 6 % of its gradient. */
const SATURATED = 0.97;

/** A step of a training. */
export interface DiagnosedStep {
  /** Steps done before it. */
  readonly step: number;
  readonly examples: readonly DiagnosedExamples[];
  /** Parameters before it. */
  readonly before: Parameters;
  /** Parameters after it. */
  readonly after: Parameters;
}

/** What one layer computed for all examples. */
interface Observed extends Pick<LayerDiagnostics, "layer" | "type"> {
  readonly outputs: Tensor[];
  /** Outputs of its tanhs; empty if it has none that can saturate. */
  readonly tanhs: Float32Array[];
}

/** Describes a step. */
export function diagnose(network: Network, { step, examples, before, after }: DiagnosedStep): Diagnostics {
  return {
    step,
    layers: observe(network, examples, before).map(({ layer, type, outputs, tanhs }) => ({
      layer,
      type,
      activations: distributionOf(outputs.map(({ data }) => data)),
      gradients: distributionOf(outputs.map((output) => output.watch())),
      ...(tanhs.length > 0 ? { saturation: saturationOf(tanhs) } : {}),
    })),
    parameters: network.parameters
      .filter(({ trainable }) => trainable)
      .map(({ name, shape }) => parameterDiagnostics(name, shape, before, after)),
  };
}

/** Runs all examples forwards and backwards, and returns the layers in their order. */
function observe(
  network: Network,
  examples: readonly DiagnosedExamples[],
  parameters: Parameters,
): readonly Observed[] {
  const width = network.vocabularySize;
  const predictions = examples.reduce((sum, { targets }) => sum + targets.length / width, 0);
  const observed = new Map<string, Observed>();
  for (const { tokens, positions, targets } of examples) {
    const tape = new Tape();
    const values = constants(tape, network.parameters, parameters);
    let latest: Tensor | undefined;
    const context: ForwardContext = {
      // The layers use nothing else of tfjs: see tape.ts.
      tf: operations(tape) as unknown as typeof TF,
      training: true,
      value: (name) => asTfjs(values.get(name)),
      update: () => {},
      watch: ({ name, spec, saturates }, y) => {
        const output = asOurs(y);
        const tanhs = tape.takeTanhs();
        // FlattenConsecutive only gives the numbers another shape.
        if (output.data === latest?.data) return;
        output.watch();
        latest = output;
        const entry: Observed = observed.get(name) ?? {
          layer: name,
          type: spec.type,
          outputs: [],
          tanhs: [],
        };
        entry.outputs.push(output);
        if (saturates) entry.tanhs.push(...tanhs);
        observed.set(name, entry);
      },
    };
    let x = asTfjs(tape.constant(Float32Array.from(tokens), [tokens.length / positions, positions]));
    for (const layer of network.layers) x = forwardOf(layer, x, context);
    const logits = asOurs(x);
    // The gradient of the mean cross entropy.
    const gradient = logits.watch();
    for (const [i, share] of softmaxRows(logits.data, width).entries())
      gradient[i] = (share - (targets[i] ?? 0)) / predictions;
    tape.backward();
  }
  return [...observed.values()];
}

function saturationOf(tanhs: readonly Float32Array[]): number {
  let count = 0;
  let saturated = 0;
  for (const values of tanhs) {
    count += values.length;
    for (const value of values) if (Math.abs(value) > SATURATED) saturated++;
  }
  return saturated / count;
}

function parameterDiagnostics(
  parameter: string,
  shape: readonly number[],
  before: Parameters,
  after: Parameters,
): ParameterDiagnostics {
  const data = before.get(parameter) ?? new Float32Array(0);
  const next = after.get(parameter) ?? data;
  const update = data.map((value, i) => (next[i] ?? value) - value);
  const ratio = Math.log10(distributionOf([update]).std / distributionOf([data]).std);
  return { parameter, shape: [...shape], ...(Number.isFinite(ratio) ? { updateToData: ratio } : {}) };
}

/** The tape's tensors have the operations that the layers use, so they can stand for tfjs's. */
function asTfjs(tensor: Tensor | undefined): TF.Tensor {
  return tensor as unknown as TF.Tensor;
}

function asOurs(tensor: unknown): Tensor {
  if (tensor instanceof Tensor) return tensor;
  throw new Error("A layer's output is not on the tape.");
}
