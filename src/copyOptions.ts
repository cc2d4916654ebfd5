/**
 * Copies options before they are sent to the worker, because a proxy (reactive state of Vue or MobX) cannot be
 * cloned. The worker, which knows every option, checks their values.
 */
import { MakemoreError } from "./errors";
import { formatValue, kindOf } from "./formatValue";
import { pageOptions } from "./pageOptions";
import { reading } from "./reading";

/** Maximum nesting of options; anything deeper is a mistake or a cycle. */
const MAX_DEPTH = 8;
/** Items of a list: no model has as many layers. A list may claim to have 4 billion. */
const MAX_ITEMS = 10_000;

/**
 * Copies options, and replaces proxies by their content.
 *
 * @param call name of the method; its options that stay on the page are not copied
 * @throws MakemoreError `INVALID_OPTION` for anything but plain data
 */
export function copyOptions<Options extends object>(call: string, options: Options): Options {
  return reading("INVALID_OPTION", `${call}: the options`, () => copyData(call, options));
}

function copyData<Options extends object>(call: string, options: Options): Options {
  const stay = pageOptions(call);
  if (kindOf(options) !== "Object")
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: the options are ${formatValue(options)}; they must be an object.`,
    );
  const copy = (value: unknown, path: readonly string[]): unknown => {
    const [option = ""] = path;
    if (path.length === 1 && stay.includes(option)) return value;
    const refuse = (what: string): MakemoreError =>
      new MakemoreError("INVALID_OPTION", `${call}: ${path.join(".")} is ${what}.`);
    if (typeof value === "object" && value !== null) {
      if (path.length > MAX_DEPTH) throw refuse("nested too deeply, or contains itself");
      if (Array.isArray(value) && value.length > MAX_ITEMS)
        throw refuse(`a list of ${value.length} items; at most ${MAX_ITEMS} are possible`);
      if (Array.isArray(value)) return value.map((item, i) => copy(item, [...path, String(i)]));
      if (kindOf(value) !== "Object") throw refuse(`${formatValue(value)}; it must be plain data`);
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, copy(item, [...path, name])]),
      );
    }
    if (["function", "symbol", "bigint"].includes(typeof value))
      throw refuse(
        `${formatValue(value)}; ${stay.includes("onProgress") ? "only onProgress takes a function" : "no option is one"}`,
      );
    return value;
  };
  // The copy has the same names and values, without proxies.
  return copy(options, []) as Options;
}
