/** What is derived from the layers of `list.ts`. */
import * as v from "valibot";
import { byType, fault } from "../../validation";
import type { InnerSchemas, Layer, LayerKind, Placement } from "../layer";
import type { LayerSpec } from "./list";
import * as kinds from "./list";

export type { LayerSpec };

/** A kind that is missing in the list, or is listed under another name than its own type, does not compile. */
const byName: ReadonlyMap<string, LayerKind<LayerSpec>> = new Map(
  Object.entries(
    kinds satisfies { [Type in LayerSpec["type"]]: LayerKind<Extract<LayerSpec, { type: Type }>> },
  ),
);
const inner: InnerSchemas = { layer: v.lazy(() => layerSchema) };

/** Checks the description of a layer of any kind, and fills in its defaults. */
export const layerSchema: v.GenericSchema<unknown, LayerSpec> = byType(
  new Map(
    [...byName].map(([type, { schema }]) => [type, typeof schema === "function" ? schema(inner) : schema]),
  ),
  `a layer such as { type: "Tanh" }; the types are ${[...byName.keys()].join(", ")}`,
);

function parseLayer(spec: unknown): LayerSpec {
  return v.parse(layerSchema, spec);
}

/** What is known of a kind before its layers are made. */
export function layerKind({ type }: LayerSpec): LayerKind<LayerSpec> {
  const kind = byName.get(type);
  if (!kind) throw new Error(`There is no layer ${type}.`);
  return kind;
}

/**
 * The layer that a spec describes, in its place.
 *
 * @throws MakemoreError `INVALID_MODEL` with the layer's name and both shapes where it does not fit
 */
export function makeLayer(spec: LayerSpec, place: Placement): Layer<LayerSpec> {
  return layerKind(spec).make(parseLayer(spec), place);
}

/**
 * The layers that a file describes.
 *
 * @throws Error that names the first that is wrong
 */
export function parseLayers(list: readonly unknown[]): LayerSpec[] {
  const wrong = fault(v.object({ layers: v.array(layerSchema) }), { layers: list });
  if (wrong) throw new Error(`its description: ${wrong}`);
  return list.map(parseLayer);
}
