// Whether it can be read off two schemas that no value fits both: what `oneOf` needs to be a plain choice.
import { isObject, type JsonObject } from "../../formats/json.ts";
import { canonical, declaredTypes, listOf, requiredOf, resolve, type Schema, schemaOf, typeNames, valuesOf } from "./schema.ts";

const deepest = 8; // references and alternatives that are followed

/** False where it cannot be told. Both schemas belong to `document`. */
export function disjoint(document: unknown, a: Schema, b: Schema, depth = 0): boolean {
  if (a === false || b === false) return true;
  if (a === true || b === true || depth > deepest) return false;
  const further = (x: Schema, y: Schema): boolean => disjoint(document, x, y, depth + 1);
  if (a.$ref !== undefined) return further(resolve(document, a.$ref, "oneOf").found, b);
  for (const keyword of ["anyOf", "oneOf", "allOf"]) {
    if (a[keyword] === undefined) continue;
    const ways = listOf(a[keyword], keyword).map((way) => schemaOf(way, keyword));
    return keyword === "allOf" ? ways.some((way) => further(way, b)) : ways.every((way) => further(way, b));
  }
  if (b.$ref !== undefined || b.anyOf !== undefined || b.oneOf !== undefined || b.allOf !== undefined) return further(b, a);
  const values = [valuesOf(a, "oneOf"), valuesOf(b, "oneOf")];
  if (values[0] && values[1]) {
    const known = new Set(values[0].map(canonical));
    return values[1].every((value) => !known.has(canonical(value)));
  }
  const [own, other] = [a, b].map((schema, i) => values[i]?.flatMap(typeNames) ?? declaredTypes(schema, "oneOf"));
  if (!own || !other) return false;
  const meets = (x: readonly string[], y: readonly string[]): boolean => x.some((type) => y.includes(type) || (type === "integer" && y.includes("number")));
  if (!meets(own, other) && !meets(other, own)) return true;
  const objects = [...own, ...other].every((type) => type === "object");
  return objects && !values[0] && !values[1] && toldApart(a, b, further);
}

/** Whether some property that one of them requires has values in each that are never equal. */
function toldApart(a: JsonObject, b: JsonObject, apart: (x: Schema, y: Schema) => boolean): boolean {
  const [left, right] = [a.properties, b.properties];
  if (!isObject(left) || !isObject(right)) return false;
  const required = [a, b].flatMap((schema) => requiredOf(schema, "oneOf"));
  return required.some((name) => Object.hasOwn(left, name) && Object.hasOwn(right, name) && apart(schemaOf(left[name], name), schemaOf(right[name], name)));
}
