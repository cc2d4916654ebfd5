/** Schemas, types and look-ups, derived from the optimisers of `list.ts`. */
import * as v from "valibot";
import { byType, oneOf } from "../validation";
import * as kinds from "./list";
import type { OptimizerKind, StateFacts } from "./optimizer";

type Kinds = (typeof kinds)[keyof typeof kinds];
type SpecOf<Kind> = Kind extends OptimizerKind<infer Spec, infer _, infer __> ? Spec : never;
type OptionsOf<Kind> = Kind extends OptimizerKind<infer _, infer Options, infer __> ? Options : never;

/** An optimiser with all defaults filled in. */
export type Optimizer = OptionsOf<Kinds>;

/** The `satisfies` makes sure that each kind is listed under its own type. */
const byName: ReadonlyMap<string, OptimizerKind<SpecOf<Kinds>, Optimizer>> = new Map(
  Object.entries(kinds satisfies { [Type in keyof typeof kinds]: OptimizerKind<{ type: Type }> }),
);

const described = byType(
  new Map([...byName].map(([type, { schema }]) => [type, schema])),
  `an optimiser such as { type: "adamw" }; the types are ${[...byName.keys()].join(", ")}`,
);
const named = v.pipe(
  oneOf(...byName.keys()),
  v.transform((type) => v.parse(described, { type })),
);

/** Checks an optimiser, or the name of one, and fills in its defaults. */
export const optimizerSchema = v.lazy((value) =>
  typeof value === "object" && value !== null ? described : named,
);

const spec: v.GenericSchema<unknown, SpecOf<Kinds>> = described;
function parseSpec(value: unknown) {
  return v.parse(spec, value);
}
// The return type of a function, because TypeScript writes it out in declarations: see LayerSpec.
/** How a caller describes an optimiser. */
export type OptimizerSpec = ReturnType<typeof parseSpec>;

/** Returns the kind of an optimiser. */
export function optimizerKind({ type }: Optimizer): OptimizerKind<SpecOf<Kinds>, Optimizer> {
  const kind = byName.get(type);
  if (!kind) throw new Error(`There is no optimiser ${type}.`);
  return kind;
}

/** Returns an optimiser's state, in the order in which engines store it; empty for SGD. */
export function stateOf(optimizer: Optimizer): [name: string, facts: StateFacts][] {
  return Object.entries(optimizerKind(optimizer).state);
}
