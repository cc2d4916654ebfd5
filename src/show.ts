/** A value for a message: the value where that is short, else what it is. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return ["function", "symbol"].includes(typeof value) ? `a ${typeof value}` : String(value);
}
