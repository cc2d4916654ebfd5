/** Which layers there are. To add one: its file, its `LayerSpec`, and a case here. */
import type { LayerSpec } from "../../../src/types";
import type { Layer, Placement } from "../layer";
import { batchNorm1d } from "./batchNorm1d";
import { embedding } from "./embedding";
import { flattenConsecutive } from "./flattenConsecutive";
import { linear } from "./linear";
import { tanh } from "./tanh";

/**
 * The layer that a spec describes, in its place.
 *
 * @throws MakemoreError `INVALID_MODEL` with the layer's name and both shapes where it does not fit
 */
export function makeLayer(spec: LayerSpec, place: Placement): Layer {
  switch (spec.type) {
    case "Embedding":
      return embedding(spec, place);
    case "FlattenConsecutive":
      return flattenConsecutive(spec, place);
    case "Linear":
      return linear(spec, place);
    case "BatchNorm1d":
      return batchNorm1d(spec, place);
    case "Tanh":
      return tanh(spec, place);
  }
}
