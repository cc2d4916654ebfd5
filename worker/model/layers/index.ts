/** Schemas, types and look-ups, derived from the layers of `list.ts`. */
import * as v from "valibot";
import { byType, fault } from "../../validation";
import type { InnerSchemas, Layer, LayerKind, Placement } from "../layer";
import * as kinds from "./list";

type SpecOf<Kind> = Kind extends LayerKind<infer Spec, infer _> ? Spec : never;

/** The `satisfies` makes sure that each kind is listed under its own type. */
const byName: ReadonlyMap<string, LayerKind<LayerSpec>> = new Map(
  Object.entries(kinds satisfies { [Type in keyof typeof kinds]: LayerKind<{ type: Type }> }),
);
const inner: InnerSchemas = { layer: v.lazy(() => layerSchema) };

/** Checks the description of a layer of any kind, and fills in its defaults. */
export const layerSchema: v.GenericSchema<unknown, SpecOf<(typeof kinds)[keyof typeof kinds]>> = byType(
  new Map(
    [...byName].map(([type, { schema }]) => [type, typeof schema === "function" ? schema(inner) : schema]),
  ),
  `a layer such as { type: "Tanh" }; the types are ${[...byName.keys()].join(", ")}`,
);

function parseLayer(spec: unknown) {
  return v.parse(layerSchema, spec);
}

// The return type of a function, because TypeScript writes it out in declarations: the package's declarations then have
// the union of the specs, without the kinds.
/**
 * One layer of a model, in the lecture's terms. Shapes are [positions, channels], without the batch. A model of windows
 * maps [contextLength] characters to [1, vocabulary]. A model that reads words, because of a layer such as a GRU, ends
 * with [positions, vocabulary].
 */
export type LayerSpec = ReturnType<typeof parseLayer>;

/** Returns the kind of a layer. */
export function layerKind({ type }: LayerSpec): LayerKind<LayerSpec> {
  const kind = byName.get(type);
  if (!kind) throw new Error(`There is no layer ${type}.`);
  return kind;
}

/**
 * Makes the layer that a spec describes.
 *
 * @throws MakemoreError `INVALID_MODEL` with the layer's name and both shapes if it does not fit
 */
export function makeLayer(spec: LayerSpec, place: Placement): Layer<LayerSpec> {
  return layerKind(spec).make(parseLayer(spec), place);
}

/**
 * Checks the descriptions of layers in a file.
 *
 * @throws Error that names the first wrong one
 */
export function parseLayers(list: readonly unknown[]): LayerSpec[] {
  const wrong = fault(v.object({ layers: v.array(layerSchema) }), { layers: list });
  if (wrong) throw new Error(`its description: ${wrong}`);
  return list.map(parseLayer);
}
