// torch.Generator("cpu"): uniform and normal float32 streams of PyTorch's CPU kernels.

import { log, sincos } from "./float32.ts";
import { Mt19937 } from "./mt19937.ts";
import type { NoiseGenerator } from "./generator.ts";
import { splitSeed } from "./seed.ts";

const f32 = Math.fround;
const TWO_PI = f32(2 * Math.PI);

/**
 * The stream of `torch.Generator("cpu").manual_seed(seed)`. Stateful: consecutive draws continue the stream.
 *
 * Equal to PyTorch on x86 with AVX2 and FMA (AVX-512 machines take the same path), bit for bit from 16 values on.
 * PyTorch on other processors computes logarithm, sine and cosine with its platform's library; its normals differ by up
 * to about 2e-6; fewer than 16 values are computed in double precision and should agree everywhere.
 * PyTorch seeds its Mersenne Twister with the low 32 bits of the seed, so seeds that share them give one stream.
 */
export class TorchCpuGenerator implements NoiseGenerator {
  readonly #engine: Mt19937;
  #spareNormal: number | undefined;

  constructor(seed: number | bigint) {
    this.#engine = new Mt19937(splitSeed(seed).low);
  }

  /** `count` float32 values uniform in 0 … 1 (1 excluded): `torch.rand(count)`. */
  rand(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => this.#uniform24());
  }

  /** `count` float32 values of mean 0 and variance 1: `torch.randn(count)`. Splitting a draw changes its values. */
  randn(count: number): Float32Array {
    return count < 16 ? this.#fewNormals(count) : this.#manyNormals(count);
  }

  /** Uniform in 0 … 1 with 24 bits. */
  #uniform24(): number {
    return (this.#engine.nextUint32() & 0xffffff) * 2 ** -24;
  }

  /** Uniform in 0 … 1 with 53 bits of two words. */
  #uniform53(): number {
    const high = this.#engine.nextUint32() & 0x1fffff;
    return (high * 2 ** 32 + this.#engine.nextUint32()) * 2 ** -53;
  }

  /** Box–Muller in double precision; the second value of a pair waits for the next draw, also across calls. */
  #fewNormals(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      if (spare !== undefined) return spare;
      const angle = 2 * Math.PI * this.#uniform53();
      const radius = Math.sqrt(-2 * Math.log1p(-this.#uniform53()));
      this.#spareNormal = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    });
  }

  /** Box–Muller in float32 on blocks of 16 uniforms; an incomplete last block is drawn anew as the last 16 values. */
  #manyNormals(count: number): Float32Array {
    const values = this.rand(count);
    for (let start = 0; start + 16 <= count; start += 16) boxMuller16(values, start);
    if (count % 16 !== 0) {
      values.set(this.rand(16), count - 16);
      boxMuller16(values, count - 16);
    }
    return values;
  }
}

/** Turns 16 uniforms from `start` on into normals in place; value i < 8 pairs with value i + 8. */
function boxMuller16(values: Float32Array, start: number): void {
  for (let i = start; i < start + 8; i++) {
    const radius = f32(Math.sqrt(f32(-2 * log(f32(1 - values[i])))));
    const [sin, cos] = sincos(f32(TWO_PI * values[i + 8]));
    values[i] = radius * cos;
    values[i + 8] = radius * sin;
  }
}
