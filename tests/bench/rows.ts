// The operations that networks people run spend their time on (shapes of Stable Diffusion 1.x's UNet), each by us, by tfjs and by onnxruntime.
import type { Gpu } from "../../src/gpu/gpu.ts";
import { geglu } from "../../src/kernels/glu.ts";
import { attention } from "../../src/kernels/attention.ts";
import { conv2d } from "../../src/kernels/conv2d.ts";
import { groupNorm } from "../../src/kernels/group-norm.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { lcg } from "../kernels/values.ts";
import { type Contender, difference } from "./measure.ts";
import type { OnnxModel } from "./onnx.ts";
import { type Ort, ortRunner, type Tf, tfRunner } from "./peers.ts";

export interface Row {
  readonly name: string;
  readonly flops: number;
  /** Read and written at least. */
  readonly bytes: number;
  contenders(gpu: Gpu, tf: Tf | null, ort: Ort | null): Promise<Contender[]>;
}

type Values = Record<string, readonly [Float32Array, readonly number[]]>;

let seed = 1;

function values(...shape: number[]): [Float32Array, number[]] {
  const next = lcg(seed++);
  const size = shape.reduce((a, b) => a * b);
  const spread = 1 / Math.sqrt(shape.at(-1) ?? 1);
  return [Float32Array.from({ length: size }, () => (2 * next() - 1) * (shape.length > 1 ? 4 * spread : 1)), shape];
}

/** x [...shape] with its axes in another order. */
function permuted(x: Float32Array, shape: readonly number[], order: readonly number[]): Float32Array {
  const out = new Float32Array(x.length);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const extents = order.map((axis) => shape[axis]);
  const steps = order.map((axis) => strides[axis]);
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    let at = 0;
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      at += (rest % extents[axis]) * steps[axis];
      rest = Math.floor(rest / extents[axis]);
    }
    out[i] = x[at];
  }
  return out;
}

const TO_NCHW = [0, 3, 1, 2];
const TO_NHWC = [0, 2, 3, 1];

/** Ours, with its operands resident. */
function kiln(gpu: Gpu, operands: Values, operation: (t: Record<string, Tensor>) => Tensor): Contender {
  const tensors = Object.fromEntries(Object.entries(operands).map(([name, [data, shape]]) => [name, upload(gpu, data.slice(), shape, "f32")]));
  const once = () => {
    using scope = gpu.scope();
    return scope.keep(operation(tensors));
  };
  return {
    name: "kiln",
    async run(count) {
      for (let i = 0; i < count; i++) once().dispose();
      await gpu.done();
    },
    async result() {
      using out = once();
      return Float32Array.from(await read(out));
    },
    async release() {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
}

const bytesOf = (...counts: number[]) => 4 * counts.reduce((a, b) => a + b);

/** 3×3 convolution with bias, I → O channels at size². */
export function convRow(size: number, inChannels: number, outChannels: number): Row {
  const [x, weight, bias] = [values(1, size, size, inChannels), values(outChannels, 3, 3, inChannels), values(outChannels)];
  const pixels = size * size;
  return {
    name: `conv 3×3 ${inChannels}→${outChannels} @${size}²`,
    flops: 18 * pixels * inChannels * outChannels,
    bytes: bytesOf(x[0].length, weight[0].length, pixels * outChannels),
    async contenders(gpu, tf, ort) {
      const list = [kiln(gpu, { x, weight, bias }, (t) => conv2d(t.x, t.weight, { bias: t.bias, padding: 1 }))];
      if (tf) {
        const filter: Values[string] = [permuted(weight[0], weight[1], [1, 2, 3, 0]), [3, 3, inChannels, outChannels]];
        list.push({ name: "tfjs", ...tfRunner(tf, { x, filter, bias }, (t) => tf.fused.conv2d({ x: t.x, filter: t.filter, strides: 1, pad: "same", bias: t.bias })) });
      }
      if (ort) {
        const dims = [1, outChannels, size, size];
        const runner = await ortRunner(
          ort,
          {
            nodes: [{ op: "Conv", inputs: ["x", "weight", "bias"], outputs: ["y"], attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } }],
            inputs: { x: [1, inChannels, size, size] },
            outputs: { y: dims },
            weights: { weight: { shape: [outChannels, inChannels, 3, 3], data: permuted(weight[0], weight[1], TO_NCHW) }, bias: { shape: [outChannels], data: bias[0] } },
          },
          { x: permuted(x[0], x[1], TO_NCHW) },
        );
        list.push({ name: "onnxruntime", ...runner, result: async () => permuted(await runner.result(), dims, TO_NHWC) });
      }
      return list;
    },
  };
}

/** x [M, K] times W [K, N] plus bias; W as each library likes it. */
export function gemmRow(m: number, k: number, n: number): Row {
  const [x, weight, bias] = [values(m, k), values(n, k), values(n)];
  const transposed: Values[string] = [permuted(weight[0], weight[1], [1, 0]), [k, n]];
  return {
    name: `linear ${m} × ${k} → ${n}`,
    flops: 2 * m * k * n,
    bytes: bytesOf(m * k, k * n, m * n),
    async contenders(gpu, tf, ort) {
      const list = [kiln(gpu, { x, weight, bias }, (t) => matmul(t.x, t.weight, { transposeB: true, bias: t.bias }))];
      if (tf) list.push({ name: "tfjs", ...tfRunner(tf, { x, weight: transposed, bias }, (t) => tf.fused.matMul({ a: t.x, b: t.weight, transposeA: false, transposeB: false, bias: t.bias })) });
      if (ort) {
        const model = {
          nodes: [{ op: "MatMul", inputs: ["x", "weight"], outputs: ["p"] }, { op: "Add", inputs: ["p", "bias"], outputs: ["y"] }],
          inputs: { x: [m, k] },
          outputs: { y: [m, n] },
          weights: { weight: { shape: [k, n], data: transposed[0] }, bias: { shape: [n], data: bias[0] } },
        };
        list.push({ name: "onnxruntime", ...(await ortRunner(ort, model, { x: x[0] })) });
      }
      return list;
    },
  };
}

/** Linear to 2N, then value · gelu(gate). */
export function gegluRow(m: number, k: number, n: number): Row {
  const [x, weight, bias] = [values(m, k), values(2 * n, k), values(2 * n)];
  const transposed: Values[string] = [permuted(weight[0], weight[1], [1, 0]), [k, 2 * n]];
  return {
    name: `GEGLU ${m} × ${k} → ${n}`,
    flops: 4 * m * k * n,
    bytes: bytesOf(m * k, 2 * k * n, m * n),
    async contenders(gpu, tf, ort) {
      const list = [kiln(gpu, { x, weight, bias }, (t) => geglu(matmul(t.x, t.weight, { transposeB: true, bias: t.bias })))];
      if (tf) {
        const operation = (t: Record<string, ReturnType<Tf["tensor"]>>) => {
          const [value, gate] = tf.split(tf.fused.matMul({ a: t.x, b: t.weight, transposeA: false, transposeB: false, bias: t.bias }), 2, 1);
          return tf.mul(value, tf.mul(tf.mul(gate, 0.5), tf.add(tf.erf(tf.mul(gate, Math.SQRT1_2)), 1)));
        };
        list.push({ name: "tfjs", ...tfRunner(tf, { x, weight: transposed, bias }, operation) });
      }
      if (ort) {
        const model = {
          nodes: [
            { op: "MatMul", inputs: ["x", "weight"], outputs: ["p"] },
            { op: "Add", inputs: ["p", "bias"], outputs: ["s"] },
            { op: "Split", inputs: ["s", "parts"], outputs: ["value", "gate"], attributes: { axis: { int: 1 } } },
            { op: "Gelu", inputs: ["gate"], outputs: ["g"] },
            { op: "Mul", inputs: ["value", "g"], outputs: ["y"] },
          ],
          inputs: { x: [m, k] },
          outputs: { y: [m, n] },
          weights: { weight: { shape: [k, 2 * n], data: transposed[0] }, bias: { shape: [2 * n], data: bias[0] }, parts: { shape: [2], data: BigInt64Array.of(BigInt(n), BigInt(n)) } },
        };
        list.push({ name: "onnxruntime", ...(await ortRunner(ort, model, { x: x[0] })) });
      }
      return list;
    },
  };
}

/** softmax(q kᵀ / √D) v, N queries on M keys. */
export function attentionRow(n: number, m: number, heads: number, size: number): Row {
  const width = heads * size;
  const [q, k, v] = [values(1, n, heads, size), values(1, m, heads, size), values(1, m, heads, size)];
  return {
    name: `attention ${n} × ${m}, ${heads} heads of ${size}`,
    flops: 4 * n * m * width,
    bytes: bytesOf(2 * n * width, 2 * m * width),
    async contenders(gpu, tf, ort) {
      const list = [kiln(gpu, { q, k, v }, (t) => attention(t.q, t.k, t.v))];
      if (tf) {
        const operation = (t: Record<string, ReturnType<Tf["tensor"]>>) => {
          const [a, b, c] = [t.q, t.k, t.v].map((x) => tf.transpose(x, [0, 2, 1, 3]));
          const scores = tf.softmax(tf.mul(tf.matMul(a, b, false, true), 1 / Math.sqrt(size)));
          return tf.transpose(tf.matMul(scores, c, false, false), [0, 2, 1, 3]);
        };
        list.push({ name: "tfjs", ...tfRunner(tf, { q, k, v }, operation) });
      }
      if (ort) list.push({ name: "onnxruntime", ...(await ortAttention(ort, await list[0].result(), { q, k, v }, [n, m, heads, size])) });
      return list;
    },
  };
}

/** onnxruntime's fused MultiHeadAttention; where its values are wrong (they are 2.5 % off on lavapipe), products and a softmax. */
async function ortAttention(ort: Ort, expected: Float32Array, { q, k, v }: Values, [n, m, heads, size]: readonly [number, number, number, number]): ReturnType<typeof ortRunner> {
  const width = heads * size;
  const feeds = { q: q[0], k: k[0], v: v[0] };
  const fused: OnnxModel = {
    nodes: [{ op: "MultiHeadAttention", domain: "com.microsoft", inputs: ["q", "k", "v"], outputs: ["y"], attributes: { num_heads: { int: heads } } }],
    inputs: { q: [1, n, width], k: [1, m, width], v: [1, m, width] },
    outputs: { y: [1, n, width] },
    weights: {},
  };
  const runner = await ortRunner(ort, fused, feeds);
  if (difference(await runner.result(), expected) < 1e-3) return runner;
  await runner.release();
  console.error(`bench: onnxruntime's MultiHeadAttention is wrong on this adapter; its attention ${n} × ${m} is run as MatMul, Softmax, MatMul`);
  const plain: OnnxModel = {
    nodes: [
      { op: "Transpose", inputs: ["q"], outputs: ["a"], attributes: { perm: [0, 2, 1, 3] } },
      { op: "Transpose", inputs: ["k"], outputs: ["b"], attributes: { perm: [0, 2, 3, 1] } },
      { op: "Transpose", inputs: ["v"], outputs: ["c"], attributes: { perm: [0, 2, 1, 3] } },
      { op: "MatMul", inputs: ["a", "b"], outputs: ["s"] },
      { op: "Mul", inputs: ["s", "scale"], outputs: ["t"] },
      { op: "Softmax", inputs: ["t"], outputs: ["p"], attributes: { axis: { int: 3 } } },
      { op: "MatMul", inputs: ["p", "c"], outputs: ["o"] },
      { op: "Transpose", inputs: ["o"], outputs: ["y"], attributes: { perm: [0, 2, 1, 3] } },
    ],
    inputs: { q: [1, n, heads, size], k: [1, m, heads, size], v: [1, m, heads, size] },
    outputs: { y: [1, n, heads, size] },
    weights: { scale: { shape: [1], data: Float32Array.of(1 / Math.sqrt(size)) } },
  };
  return ortRunner(ort, plain, feeds);
}

/** Group norm over 32 groups, then SiLU. */
export function groupNormRow(size: number, channels: number): Row {
  const [x, weight, bias] = [values(1, size, size, channels), values(channels), values(channels)];
  const groups = 32;
  return {
    name: `group norm + SiLU ${channels} @${size}²`,
    flops: 12 * x[0].length,
    bytes: bytesOf(2 * x[0].length, x[0].length),
    async contenders(gpu, tf, ort) {
      const list = [kiln(gpu, { x, weight, bias }, (t) => groupNorm(t.x, t.weight, t.bias, { groups, eps: 1e-5, activation: "silu" }))];
      if (tf) {
        const operation = (t: Record<string, ReturnType<Tf["tensor"]>>) => {
          const grouped = tf.reshape(t.x, [size * size, groups, channels / groups]);
          const { mean, variance } = tf.moments(grouped, [0, 2], true);
          const normal = tf.reshape(tf.mul(tf.sub(grouped, mean), tf.rsqrt(tf.add(variance, 1e-5))), [1, size, size, channels]);
          const affine = tf.add(tf.mul(normal, t.weight), t.bias);
          return tf.mul(affine, tf.sigmoid(affine));
        };
        list.push({ name: "tfjs", ...tfRunner(tf, { x, weight, bias }, operation) });
      }
      if (ort) {
        const dims = [1, channels, size, size];
        const runner = await ortRunner(
          ort,
          {
            nodes: [
              { op: "Reshape", inputs: ["x", "grouped"], outputs: ["r"] },
              { op: "InstanceNormalization", inputs: ["r", "ones", "zeros"], outputs: ["i"], attributes: { epsilon: { float: 1e-5 } } },
              { op: "Reshape", inputs: ["i", "whole"], outputs: ["n"] },
              { op: "Mul", inputs: ["n", "weight"], outputs: ["w"] },
              { op: "Add", inputs: ["w", "bias"], outputs: ["a"] },
              { op: "Sigmoid", inputs: ["a"], outputs: ["s"] },
              { op: "Mul", inputs: ["a", "s"], outputs: ["y"] },
            ],
            inputs: { x: dims },
            outputs: { y: dims },
            weights: {
              grouped: { shape: [3], data: BigInt64Array.of(1n, BigInt(groups), -1n) },
              whole: { shape: [4], data: BigInt64Array.from(dims, BigInt) },
              ones: { shape: [groups], data: new Float32Array(groups).fill(1) },
              zeros: { shape: [groups], data: new Float32Array(groups) },
              weight: { shape: [channels, 1, 1], data: weight[0] },
              bias: { shape: [channels, 1, 1], data: bias[0] },
            },
          },
          { x: permuted(x[0], x[1], TO_NCHW) },
        );
        list.push({ name: "onnxruntime", ...runner, result: async () => permuted(await runner.result(), dims, TO_NHWC) });
      }
      return list;
    },
  };
}
