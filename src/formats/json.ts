// JSON that others wrote: a value is what it is found to be.

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a parsed value is an object, so neither list nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
