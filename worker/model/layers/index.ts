/** What is derived from the layers of `list.ts`. */
import * as v from "valibot";
import { byType, fault } from "../../validation";
import type { InnerSchemas, Layer, LayerKind, Placement } from "../layer";
import * as kinds from "./list";

type SpecOf<Kind> = Kind extends LayerKind<infer Spec, infer _> ? Spec : never;

/** A kind whose name is not its own type does not compile. */
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

// Taken from a function, because the compiler writes out what a function returns: the package's declarations have
// the union of the specs, and no trace of the kinds.
/**
 * One layer of an explicit model, in the lecture's terms. Shapes are [positions, channels], without the batch. A
 * model of windows starts from [contextLength] characters and must end at [1, vocabulary]. One that reads words, by
 * a layer such as a GRU, ends at [positions, vocabulary].
 */
export type LayerSpec = ReturnType<typeof parseLayer>;

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
