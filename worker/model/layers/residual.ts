import * as v from "valibot";
import { MakemoreError } from "../../../src/errors";
import { forwardOf, type Layer, type LayerKind, showShape, stepOf } from "../layer";
import type { LayerSpec } from "./index";

/** Adds the output of a list of layers to their input: x + layers(x). */
export interface ResidualSpec {
  type: "Residual";
  /** At least one layer; the last output must have the shape of the first input. */
  layers: readonly LayerSpec[];
}

/** x + layers(x) (He et al., 2015). Its layers are numbered together with those of the whole model. */
export const Residual: LayerKind<ResidualSpec> = {
  schema: ({ layer }) =>
    v.strictObject({
      type: v.literal("Residual"),
      layers: v.pipe(v.array(layer, "a list of layers"), v.minLength(1, "a list with at least one layer")),
    }),
  inside: ({ layers }) => layers,
  make: (spec, { name, inputShape, inner }) => {
    const layers: Layer<LayerSpec>[] = [];
    let shape = inputShape;
    for (const innerSpec of spec.layers) {
      const layer = inner(innerSpec, shape);
      layers.push(layer);
      shape = layer.outputShape;
    }
    if (showShape(shape) !== showShape(inputShape))
      throw new MakemoreError(
        "INVALID_MODEL",
        `Layer ${name} adds its input, ${showShape(inputShape)}, to ${showShape(shape)}, which its layers make of it; they must end with the shape that they begin with.`,
      );
    return {
      name,
      spec: { type: "Residual", layers: layers.map((layer) => layer.spec) },
      inputShape,
      outputShape: inputShape,
      parameters: layers.flatMap((layer) => layer.parameters),
      layers,
      forward: (x, context) => x.add(layers.reduce((y, layer) => forwardOf(layer, y, context), x)),
      onnx: (graph, input) => {
        const output = layers.reduce((value, layer) => layer.onnx(graph, value), input);
        return graph.node("Add", [input, output], {}, name);
      },
      step: (graph, input) => {
        const output = layers.reduce((value, layer) => stepOf(layer, graph, value), input);
        return graph.node("Add", [input, output], {}, name);
      },
    };
  },
};
