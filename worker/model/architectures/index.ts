/** What is derived from the architectures of `list.ts`. */
import * as v from "valibot";
import { type LayerSpec, layerSchema } from "../layers";
import type { Architecture } from "./architecture";
import * as kinds from "./list";
import type { ModelSizes } from "./wavenet";

const byName: ReadonlyMap<string, Architecture> = new Map(
  Object.entries(kinds satisfies { [Name in keyof typeof kinds]: Architecture }),
);
const names = v.picklist(
  Object.keys(kinds) as (keyof typeof kinds)[],
  `${[...byName.keys()]
    .reverse()
    .map((name) => `"${name}"`)
    .join(", ")}, sizes, or a list of layers`,
);

/**
 * Checks a choice of model. Its schema is chosen by the value's kind, so that a wrong size is reported as
 * such and not as "no member of a union".
 */
export const modelSchema = v.lazy((value) =>
  Array.isArray(value)
    ? v.pipe(v.array(layerSchema), v.minLength(1, "a list with at least one layer"))
    : typeof value === "object" && value !== null
      ? kinds.wavenet.sizes
      : names,
);

function parseName(name: unknown) {
  return v.parse(names, name);
}
// Taken from a function, because the compiler writes out what a function returns: see LayerSpec.
/** The name of an architecture, for its default sizes. */
export type ArchitectureName = ReturnType<typeof parseName>;

/** The layers of a choice of model. */
export function architecture(
  choice: ArchitectureName | ModelSizes | readonly LayerSpec[],
): readonly LayerSpec[] {
  if (isLayerList(choice)) return choice;
  const { sizes, layers } = typeof choice === "string" ? named(choice) : kinds.wavenet;
  return layers(v.parse(sizes, typeof choice === "string" ? {} : choice));
}

function named(name: ArchitectureName): Architecture {
  const found = byName.get(name);
  if (!found) throw new Error(`There is no architecture ${name}.`);
  return found;
}

/** `Array.isArray` does not narrow readonly arrays. */
function isLayerList<T>(choice: T | readonly LayerSpec[]): choice is readonly LayerSpec[] {
  return Array.isArray(choice);
}
