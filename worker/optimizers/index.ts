/** What is derived from the optimisers of `list.ts`. */
import * as v from "valibot";
import { byType, oneOf } from "../validation";
import * as kinds from "./list";
import type { OptimizerKind, StateFacts } from "./optimizer";

type Kinds = (typeof kinds)[keyof typeof kinds];
type SpecOf<Kind> = Kind extends OptimizerKind<infer Spec, infer _, infer __> ? Spec : never;
type OptionsOf<Kind> = Kind extends OptimizerKind<infer _, infer Options, infer __> ? Options : never;

/** An optimiser with nothing left out. */
export type Optimizer = OptionsOf<Kinds>;

/** A kind that is listed under another name than its own type does not compile. */
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
// Taken from a function, because the compiler writes out what a function returns: see LayerSpec.
/** How a caller describes an optimiser. */
export type OptimizerSpec = ReturnType<typeof parseSpec>;

/** All that is known of an optimiser's kind. */
export function optimizerKind({ type }: Optimizer): OptimizerKind<SpecOf<Kinds>, Optimizer> {
  const kind = byName.get(type);
  if (!kind) throw new Error(`There is no optimiser ${type}.`);
  return kind;
}

/** The names and facts of an optimiser's state, in the order the engines keep it; none for SGD. */
export function stateOf(optimizer: Optimizer): [name: string, facts: StateFacts][] {
  return Object.entries(optimizerKind(optimizer).state);
}
