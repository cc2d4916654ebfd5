/** Formats a value for a message: a short one in full, a long one shortened or by its kind. */
export function formatValue(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `${value}n`;
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    case "string":
      return shortJSON(value);
    case "object": {
      const kind = kindOf(value);
      if (!["Null", "Array", "Object"].includes(kind)) return `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind}`;
      return shortJSON(value);
    }
    default:
      return String(value);
  }
}

/**
 * Returns the kind of a value: "Array", "Promise", "File". Unlike `instanceof`, it also works for objects of
 * another realm (an iframe) and behind a proxy.
 */
export function kindOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1);
  } catch {
    // A revoked proxy, or a getter that throws.
    return "Unreadable object";
  }
}

function shortJSON(value: unknown): string {
  try {
    const text = JSON.stringify(value) ?? "an object";
    return text.length > 80 ? `${text.slice(0, 80)}…` : text;
  } catch {
    // A cyclic object, or one with a BigInt.
    return "an object";
  }
}
