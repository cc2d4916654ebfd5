/**
 * What is checked of options before they cross the thread; the worker, which knows them all, checks
 * the rest.
 */
import { MakemoreError } from "./errors";
import { show } from "./show";

/**
 * @param functions names of options that are functions
 * @throws MakemoreError `INVALID_OPTION` for what is no object, and for what cannot cross
 */
export function checkOptions(call: string, options: object, functions: readonly string[] = []): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new MakemoreError(
      "INVALID_OPTION",
      `${call}: the options are ${show(options)}; they must be an object.`,
    );
  for (const [name, value] of Object.entries(options))
    if (["function", "symbol", "bigint"].includes(typeof value) && !functions.includes(name))
      throw new MakemoreError(
        "INVALID_OPTION",
        `${call}: ${name} is ${show(value)}; ${functions.length > 0 ? `only ${functions.join(", ")} takes a function` : "no option is one"}.`,
      );
}
