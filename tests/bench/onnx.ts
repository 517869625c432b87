// Tiny ONNX models as protobuf bytes (onnx/onnx.proto3), so that the bench needs no Python: nodes, weights inside, named inputs and outputs.

/** A list of whole numbers, a number, or text: what a node's attributes hold here. */
export type Attribute = readonly number[] | { readonly float: number } | { readonly int: number } | string;

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** "" for ONNX's own operators. */
  readonly domain?: string;
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly weights: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array | BigInt64Array }>>;
}

const FLOAT = 1;
const INT64 = 7;

/** The model file. Opset 20 and com.microsoft's 1. */
export function encodeOnnx({ nodes, inputs, outputs, weights }: OnnxModel): Uint8Array {
  const graph = [
    ...nodes.map((node) => message(1, encodeNode(node))),
    text(2, "bench"),
    ...Object.entries(weights).map(([name, weight]) => message(5, encodeWeight(name, weight))),
    ...Object.entries(inputs).map(([name, shape]) => message(11, encodeValue(name, shape))),
    ...Object.entries(outputs).map(([name, shape]) => message(12, encodeValue(name, shape))),
  ];
  return join([int(1, 9), message(7, graph), message(8, [text(1, ""), int(2, 20)]), message(8, [text(1, "com.microsoft"), int(2, 1)])]);
}

function encodeNode({ op, inputs, outputs, attributes = {}, domain = "" }: OnnxNode): Uint8Array[] {
  return [...inputs.map((name) => text(1, name)), ...outputs.map((name) => text(2, name)), text(4, op), ...Object.entries(attributes).map(([name, value]) => message(5, encodeAttribute(name, value))), text(7, domain)];
}

function encodeAttribute(name: string, value: Attribute): Uint8Array[] {
  if (typeof value === "string") return [text(1, name), text(4, value), int(20, 3)];
  if ("float" in value) return [text(1, name), tag(2, 5), new Uint8Array(Float32Array.of(value.float).buffer), int(20, 1)];
  if ("int" in value) return [text(1, name), int(3, value.int), int(20, 2)];
  return [text(1, name), ...value.map((n) => int(8, n)), int(20, 7)];
}

function encodeWeight(name: string, { shape, data }: OnnxModel["weights"][string]): Uint8Array[] {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [...shape.map((n) => int(1, n)), int(2, data instanceof Float32Array ? FLOAT : INT64), text(8, name), message(9, [raw])];
}

function encodeValue(name: string, shape: readonly number[]): Uint8Array[] {
  const dimensions = shape.map((n) => message(1, [int(1, n)]));
  return [text(1, name), message(2, [message(1, [int(1, FLOAT), message(2, dimensions)])])];
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest ? low | 128 : low);
  } while (rest);
  return Uint8Array.from(bytes);
}

const tag = (field: number, wire: number) => varint((field << 3) | wire);
const int = (field: number, value: number) => join([tag(field, 0), varint(value)]);
const text = (field: number, value: string) => message(field, [new TextEncoder().encode(value)]);

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = join(parts);
  return join([tag(field, 2), varint(body.length), body]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
