/** A value for a message: itself where it is short, else its beginning, or what it is. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `${value}n`;
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    case "string":
    case "object":
      return shorten(asJSON(value));
    default:
      return String(value);
  }
}

function asJSON(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "an object";
  } catch {
    // A circle, or a BigInt.
    return "an object";
  }
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
