// Values of a Jinja interpreter as Python compares, strips and prints them.

/** What @huggingface/jinja's interpreter holds: a kind ("StringValue", "ArrayValue" …) and a plain value. */
export interface Value {
  readonly type: string;
  readonly value?: unknown;
}

export function isValue(value: unknown): value is Value {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** A value without its kinds: texts, numbers, lists and objects. */
export function plain(value: unknown, depth = 0): unknown {
  if (depth > 100) return null;
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [String(key), plain(one, depth + 1)]));
  if (Array.isArray(value)) return value.map((one) => plain(one, depth + 1));
  return isValue(value) ? plain(value.value, depth + 1) : value;
}

const names: Readonly<Record<string, string>> = { NullValue: "None", UndefinedValue: "" };

/** str(value). */
export function pythonText(value: Value): string {
  return typeof value.value === "string" ? value.value : represented(value, 0);
}

/** repr(value). */
function represented(item: unknown, depth: number): string {
  if (!isValue(item)) return String(item);
  const { type, value } = item;
  if (depth > 100) return "...";
  if (typeof value === "string") return quoted(value);
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return type === "FloatValue" && Number.isInteger(value) ? value.toFixed(1) : String(value);
  const inside = (list: readonly unknown[]): string => list.map((one) => represented(one, depth + 1)).join(", ");
  if (Array.isArray(value)) return type === "TupleValue" ? `(${inside(value)}${value.length === 1 ? "," : ""})` : `[${inside(value)}]`;
  if (value instanceof Map) return `{${[...value].map(([key, one]) => `${quoted(String(key))}: ${represented(one, depth + 1)}`).join(", ")}}`;
  return names[type] ?? type;
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = text.replace(/[\\\n\r\t]|[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?! )\p{Zs}|\p{Cf}/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return escapes[character] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : code < 0x1_0000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`);
  });
  return quote + (quote === "'" ? inside.replaceAll("'", "\\'") : inside) + quote;
}

/** a == b. */
export function equal(a: unknown, b: unknown, depth = 0): boolean {
  if (!isValue(a) || !isValue(b) || depth > 100) return a === b;
  const [x, y] = [a.value, b.value];
  if (Array.isArray(x) && Array.isArray(y)) return x.length === y.length && x.every((one, i) => equal(one, y[i], depth + 1));
  if (x instanceof Map && y instanceof Map) return x.size === y.size && [...x].every(([key, one]) => y.has(key) && equal(one, y.get(key), depth + 1));
  const number = (value: unknown): unknown => (typeof value === "boolean" ? Number(value) : value);
  if (x === null || x === undefined || y === null || y === undefined) return a.type === b.type;
  return number(x) === number(y);
}

/** text.strip(characters), lstrip and rstrip; null: white space. */
export function stripped(text: string, characters: string | null, side: "both" | "start" | "end"): string {
  const taken = characters === null ? null : new Set(characters);
  const goes = (character: string): boolean => (taken === null ? /[\p{White_Space}\u001c-\u001f]/u.test(character) : taken.has(character));
  const all = Array.from(text);
  let [start, end] = [0, all.length];
  if (side !== "end") while (start < end && goes(all[start])) start++;
  if (side !== "start") while (end > start && goes(all[end - 1])) end--;
  return all.slice(start, end).join("");
}

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/** date.strftime(format) in the C locale; what is not known stays as it is. */
export function dateText(date: Date, format: string): string {
  const two = (value: number, pad = "0"): string => String(value).padStart(2, pad);
  const hour12 = date.getHours() % 12 || 12;
  const dayOfYear = Math.round((new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime() - new Date(date.getFullYear(), 0, 1).getTime()) / 86_400_000) + 1;
  const parts: Readonly<Record<string, string>> = {
    Y: String(date.getFullYear()), y: two(date.getFullYear() % 100), m: two(date.getMonth() + 1), d: two(date.getDate()), e: two(date.getDate(), " "),
    B: months[date.getMonth()], b: months[date.getMonth()].slice(0, 3), A: days[date.getDay()], a: days[date.getDay()].slice(0, 3),
    H: two(date.getHours()), I: two(hour12), M: two(date.getMinutes()), S: two(date.getSeconds()), p: date.getHours() < 12 ? "AM" : "PM",
    j: String(dayOfYear).padStart(3, "0"), "%": "%", "-d": String(date.getDate()), "-m": String(date.getMonth() + 1), "-H": String(date.getHours()), "-I": String(hour12),
  };
  return format.replace(/%(-?[A-Za-z%])/g, (whole, code: string) => parts[code] ?? whole);
}
