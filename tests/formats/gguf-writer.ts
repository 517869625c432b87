// GGUF files for tests: written field by field, so that any of them can lie.
export type Value = readonly [type: number, bytes: Uint8Array];

export interface WrittenTensor {
  readonly name: string;
  /** GGML's order: the length of a row first. */
  readonly dimensions: readonly (number | bigint)[];
  readonly type: number;
  readonly offset: number | bigint;
}

export interface WrittenFile {
  magic?: string;
  version?: number;
  metadata?: readonly (readonly [key: string, value: Value])[];
  tensors?: readonly WrittenTensor[];
  tensorCount?: number | bigint;
  keyCount?: number | bigint;
  alignment?: number;
  data?: number;
}

export const u8 = (value: number): Uint8Array => Uint8Array.of(value);
export const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
export const u64 = (value: number | bigint): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
export const f32 = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);
export const text = (value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return join(u64(bytes.length), bytes);
};

export const uint = (value: number): Value => [4, u32(value)];
export const float = (value: number): Value => [6, f32(value)];
export const bool = (value: number): Value => [7, u8(value)];
export const string = (value: string): Value => [8, text(value)];
export const array = (type: number, items: readonly Uint8Array[], count: number | bigint = items.length): Value => [9, join(u32(type), u64(count), concat(items))];

export const join = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => concat(parts);

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The bytes of a file; `data` zeros follow the padded header. */
export function gguf({ magic = "GGUF", version = 3, metadata = [], tensors = [], tensorCount, keyCount, alignment = 32, data = 0 }: WrittenFile): Uint8Array<ArrayBuffer> {
  const header = join(
    new TextEncoder().encode(magic), u32(version), u64(tensorCount ?? tensors.length), u64(keyCount ?? metadata.length),
    ...metadata.flatMap(([key, [type, bytes]]) => [text(key), u32(type), bytes]),
    ...tensors.flatMap(({ name, dimensions, type, offset }) => [text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset)]),
  );
  const padding = tensors.length === 0 ? 0 : (alignment - (header.length % alignment)) % alignment;
  return join(header, new Uint8Array(padding + data));
}
