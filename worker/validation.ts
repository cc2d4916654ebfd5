/**
 * Building blocks for the valibot schemas of this folder. Each message completes the sentence "`path` is `value`; it
 * must be …".
 */
import * as v from "valibot";
import { formatValue } from "../src/formatValue";

/** Characters of a path that a message shows. */
const MAX_PATH = 80;

/** Options with every default filled in. */
export type Complete<Options> = { [Name in keyof Options]-?: Exclude<Options[Name], undefined> };

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number) {
  const message = `a whole number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
}

/** A number from `min` to `max`; `minimumExcluded` leaves `min` itself out. */
export function between(min: number, max: number, minimumExcluded = false) {
  const message = `a number ${minimumExcluded ? "above" : "from"} ${min} to ${max}`;
  return v.pipe(
    v.number(message),
    v.check((x) => (minimumExcluded ? x > min : x >= min) && x <= max, message),
  );
}

/** One of a few names. */
export function oneOf<const T extends string>(...names: readonly T[]) {
  return v.picklist(names, names.map((name) => `"${name}"`).join(" or "));
}

/** True or false. */
export const boolean = v.boolean("true or false");

/**
 * An object whose `type` selects its schema. A wrong field is then reported as such, and not as "no member of a union".
 *
 * @param schemas the schemas, by type
 * @param message describes a right value of any type
 * @param byDefault the type of an object without `type`. Default: such an object is an error
 */
export function byType<T>(
  schemas: ReadonlyMap<string, v.GenericSchema<unknown, T>>,
  message: string,
  byDefault?: string,
): v.GenericSchema<unknown, T> {
  const other = v.custom<T>(() => false, message);
  // Never passes: it only makes the error's path name the field `type`.
  const otherType = v.pipe(
    v.looseObject({ type: other }),
    v.transform(({ type }) => type),
  );
  return v.lazy((value): v.GenericSchema<unknown, T> => {
    if (typeof value !== "object" || value === null) return other;
    const type: unknown = Reflect.get(value, "type") ?? byDefault;
    return (typeof type === "string" && schemas.get(type)) || otherType;
  });
}

/**
 * Describes the first mistake in a value in one sentence; undefined if the value is right.
 *
 * @param names makes the sentence for an unknown field
 */
export function fault(
  schema: v.GenericSchema,
  value: unknown,
  names: (unknown: string) => string = (path) => `there is no "${path}".`,
): string | undefined {
  const result = v.safeParse(schema, value, { abortEarly: true, abortPipeEarly: true });
  if (result.success) return undefined;
  const [issue] = result.issues;
  const found = v.getDotPath(issue);
  // A name may be as long as its author likes.
  const path = found && found.length > MAX_PATH ? `${found.slice(0, MAX_PATH)}…` : found;
  if (path === null) return `it is ${formatValue(issue.input)}; it must be ${issue.message}.`;
  if (issue.expected === "never") return names(path);
  if (issue.message.startsWith("Invalid key")) return `${path} is missing.`;
  return `${path} is ${formatValue(issue.input)}; it must be ${issue.message}.`;
}
