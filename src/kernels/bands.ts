// Launches cut into bands of rows: where an operand passes the device's binding limit, or one launch would hold the GPU too long.
import { GpuError } from "../gpu/errors.ts";
import type { Gpu } from "../gpu/gpu.ts";

/** The most that one launch does: systems kill a GPU job that runs for about two seconds, and the slowest GPUs of use do some 100 GFLOP/s. Tests lower it. */
export const LAUNCH = { flops: 16e9 };

/** Rows start … end-1. */
export interface Band {
  readonly start: number;
  readonly end: number;
}

export interface BandOptions {
  /** Bytes of a row in each operand that grows with the rows. */
  readonly rowBytes: readonly number[];
  readonly rowFlops?: number;
  /** Rows that a band binds besides its own, such as a convolution's halo. */
  readonly halo?: number;
  /** The kernel reads views at any offset; otherwise bands start where every operand is aligned for binding. */
  readonly strided?: boolean;
}

/** One band if all fits, else bands of equal height but the last. Throws GpuError where even the smallest does not fit. */
export function bandsOf(gpu: Gpu, what: string, rows: number, { rowBytes, rowFlops = 0, halo = 0, strided = false }: BandOptions): Band[] {
  const { maxStorageBufferBindingSize: limit, minStorageBufferOffsetAlignment: alignment } = gpu.limits;
  const largest = Math.max(...rowBytes);
  const slack = strided ? alignment : 0; // a binding starts at an aligned offset below the view
  if (rows * largest + slack <= limit && rows * rowFlops <= LAUNCH.flops) return [{ start: 0, end: rows }];
  const step = strided ? 1 : rowBytes.map((bytes) => alignment / commonDivisor(alignment, bytes)).reduce((a, b) => Math.max(a, b), 1);
  const fitting = Math.floor((limit - slack) / largest) - halo;
  const timely = Math.floor(LAUNCH.flops / Math.max(1, rowFlops));
  const height = Math.max(step, Math.floor(Math.min(fitting, timely) / step) * step);
  if (height > Math.floor(limit / largest) - halo) throw new GpuError("unsupported", `${what}: ${height + halo} rows of ${largest} bytes, this device binds ${limit} at once`);
  return Array.from({ length: Math.ceil(rows / height) }, (_, i) => ({ start: i * height, end: Math.min(rows, (i + 1) * height) }));
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
