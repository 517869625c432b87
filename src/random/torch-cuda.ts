// torch.Generator("cuda"): the stream of PyTorch's normal kernel on an NVIDIA GPU, computed without one.
//
// The kernel starts min(⌈count / 256⌉, multiprocessors × blocks per multiprocessor) blocks of 256 threads. Thread t
// runs Philox4x32-10 with counter (offset / 4 + round, t) and key = seed; each call gives it four normals, which go to
// elements t, t + threads, t + 2·threads, t + 3·threads of the round. So a draw of at most one element a thread is
// the same on every GPU, and a larger one depends on how many threads the GPU holds (a T4 40,960, an RTX 4090 196,608).

import { fma } from "./float32.ts";
import type { NoiseGenerator } from "./generator.ts";
import { philox4x32 } from "./philox.ts";
import { splitSeed } from "./seed.ts";

const BLOCK = 256;
const PER_THREAD = 4;
const f32 = Math.fround;
const TO_UNIT = 2 ** -32;
const TO_ANGLE = f32(2 * Math.PI) * TO_UNIT;

/** What of a GPU decides its stream: `torch.cuda.get_device_properties()` gives both numbers. */
export interface CudaDevice {
  multiProcessorCount: number;
  maxThreadsPerMultiProcessor: number;
}

/** NVIDIA A100: 221,184 elements (thirteen latents of 512×512 pictures) before a draw depends on the GPU. */
export const A100: CudaDevice = { multiProcessorCount: 108, maxThreadsPerMultiProcessor: 2048 };

/**
 * The stream of `torch.Generator("cuda").manual_seed(seed)` on `device`. Stateful: consecutive draws continue it.
 *
 * Words equal the GPU's bit for bit. Normals are correctly rounded, where the GPU uses its fast sine and cosine:
 * they agree to about 3e-6 absolutely.
 */
export class TorchCudaGenerator implements NoiseGenerator {
  readonly #key: readonly [number, number];
  readonly #maxBlocks: number;
  #offset = 0; // Philox blocks drawn so far by every thread

  constructor(seed: number | bigint, device: CudaDevice = A100) {
    const { low, high } = splitSeed(seed);
    this.#key = [low, high];
    this.#maxBlocks = device.multiProcessorCount * Math.floor(device.maxThreadsPerMultiProcessor / BLOCK);
    if (!Number.isInteger(this.#maxBlocks) || this.#maxBlocks < 1) {
      throw new RangeError(`torch-cuda: a device with at least one multiprocessor expected, got ${JSON.stringify(device)}`);
    }
  }

  /** `count` float32 values of mean 0 and variance 1: `torch.randn(count, device="cuda")`. */
  randn(count: number): Float32Array {
    const out = new Float32Array(count);
    const threads = BLOCK * Math.min(Math.ceil(count / BLOCK), this.#maxBlocks);
    for (let start = 0; start < count; start += PER_THREAD * threads) {
      const live = Math.min(threads, count - start);
      for (let thread = 0; thread < live; thread++) {
        const counter = [this.#offset >>> 0, Math.floor(this.#offset / 2 ** 32), thread, 0] as const;
        const [x, y, z, w] = philox4x32(counter, this.#key);
        const first = start + thread;
        boxMuller(x, y, out, first, first + threads);
        if (first + 2 * threads < count) boxMuller(z, w, out, first + 2 * threads, first + 3 * threads);
      }
      this.#offset += 1;
    }
    return out;
  }
}

/** Two normals of two words: out[i] with the sine, out[j] with the cosine; writes past the end fall away. */
function boxMuller(x: number, y: number, out: Float32Array, i: number, j: number): void {
  const uniform = f32(f32(x) * TO_UNIT + TO_UNIT / 2); // 0 excluded
  const angle = fma(f32(y), TO_ANGLE, TO_ANGLE / 2);
  const radius = Math.sqrt(-2 * Math.log(uniform));
  out[i] = radius * Math.sin(angle);
  out[j] = radius * Math.cos(angle);
}
