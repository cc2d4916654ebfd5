/** Schemas, types and look-ups, derived from the architectures of `list.ts`. */
import * as v from "valibot";
import { byType } from "../../validation";
import type { Example } from "../layer";
import { type LayerSpec, layerSchema } from "../layers";
import { exampleOf } from "../network";
import type { Architecture } from "./architecture";
import * as kinds from "./list";

type Kinds = (typeof kinds)[keyof typeof kinds];
type SizesOf<Kind> = Kind extends Architecture<infer Sizes, infer _> ? Sizes : never;

/** The `satisfies` makes sure that each architecture is listed under its own type. */
const byName: ReadonlyMap<string, Architecture<SizesOf<Kinds>>> = new Map(
  Object.entries(kinds satisfies { [Name in keyof typeof kinds]: Architecture<{ type?: Name | undefined }> }),
);
/** The architecture for sizes without a type. */
const DEFAULT: keyof typeof kinds = "wavenet";

const quoted = [...byName.keys()].reverse().map((name) => `"${name}"`);
const named = v.picklist(
  Object.keys(kinds) as (keyof typeof kinds)[],
  `${quoted.join(", ")}, sizes, or a list of layers`,
);
const described = byType(
  new Map([...byName].map(([name, { sizes }]) => [name, sizes])),
  quoted.join(" or "),
  DEFAULT,
);

/**
 * Checks the option `model`. The kind of value selects the schema, so that a wrong size is reported as such, and not as
 * "no member of a union".
 */
export const modelSchema = v.lazy((value) =>
  Array.isArray(value)
    ? v.pipe(v.array(layerSchema), v.minLength(1, "a list with at least one layer"))
    : typeof value === "object" && value !== null
      ? described
      : named,
);

const sized: v.GenericSchema<unknown, SizesOf<Kinds>> = described;
function parseName(name: unknown) {
  return v.parse(named, name);
}
function parseSizes(sizes: unknown) {
  return v.parse(sized, sizes);
}
// Return types of functions, because TypeScript writes these out in declarations: see LayerSpec.
/** The name of an architecture, for its default sizes. */
export type ArchitectureName = ReturnType<typeof parseName>;
/** The sizes of an architecture. */
export type ArchitectureSizes = ReturnType<typeof parseSizes>;

type Choice = ArchitectureName | ArchitectureSizes | readonly LayerSpec[];

/** Positions for makemore's names: the longest one has 15 characters. */
const NAMES_POSITIONS = 16;

/**
 * Returns the layers for a choice of model.
 *
 * @param longest positions of the longest word: the default context length of models that read words
 */
export function architecture(choice: Choice, longest: number = NAMES_POSITIONS): readonly LayerSpec[] {
  if (isLayerList(choice)) return choice;
  const sizes = parseSizes(typeof choice === "string" ? { type: choice } : choice);
  return kindOf(sizes).layers(sizes, longest);
}

/** Returns what one example is for a choice of model. */
export function exampleOfChoice(choice: Choice): Example {
  if (isLayerList(choice)) return exampleOf(choice);
  return kindOf(typeof choice === "string" ? { type: choice } : choice).example;
}

function kindOf({ type = DEFAULT }: { readonly type?: string | undefined }) {
  const found = byName.get(type);
  if (!found) throw new Error(`There is no architecture ${type}.`);
  return found;
}

/** `Array.isArray` does not narrow readonly arrays. */
function isLayerList<T>(choice: T | readonly LayerSpec[]): choice is readonly LayerSpec[] {
  return Array.isArray(choice);
}
