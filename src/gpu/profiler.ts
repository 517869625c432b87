// A table per kernel: calls, milliseconds on the GPU (timestamp-query), GFLOP/s and GB/s.

/** What one kernel did while the profiler ran. `ms` is null without timestamp-query. */
export interface ProfileRow {
  readonly kernel: string;
  readonly calls: number;
  readonly ms: number | null;
  readonly flops: number;
  readonly bytes: number;
}

const CAPACITY = 2048; // dispatches per query set, two timestamps each

/** Collects dispatches between `start` and `report`. */
export class Profiler {
  readonly #sets: { queries: GPUQuerySet; names: string[] }[] = [];
  readonly #rows = new Map<string, { calls: number; ms: number | null; flops: number; bytes: number }>();

  constructor(readonly device: GPUDevice | null) {}

  get timed(): boolean {
    return this.device?.features.has("timestamp-query") ?? false;
  }

  /** Counts a dispatch; returns where its pass writes its two timestamps. */
  record(kernel: string, flops: number, bytes: number): GPUComputePassTimestampWrites | undefined {
    const row = this.#rows.get(kernel) ?? { calls: 0, ms: this.timed ? 0 : null, flops: 0, bytes: 0 };
    row.calls++;
    row.flops += flops;
    row.bytes += bytes;
    this.#rows.set(kernel, row);
    if (!this.timed || !this.device) return undefined;
    let set = this.#sets.at(-1);
    if (!set || set.names.length === CAPACITY) {
      set = { queries: this.device.createQuerySet({ type: "timestamp", count: 2 * CAPACITY }), names: [] };
      this.#sets.push(set);
    }
    const at = 2 * set.names.length;
    set.names.push(kernel);
    return { querySet: set.queries, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
  }

  /** Reads the timestamps; rows by time, the slowest first. Call after all work was submitted. */
  async report(): Promise<ProfileRow[]> {
    for (const set of this.#sets) await this.#readTimes(set.queries, set.names);
    this.#sets.length = 0;
    const rows = [...this.#rows].map(([kernel, row]) => ({ kernel, ...row }));
    return rows.sort((a, b) => (b.ms ?? 0) - (a.ms ?? 0) || b.flops - a.flops);
  }

  async #readTimes(queries: GPUQuerySet, names: readonly string[]): Promise<void> {
    const device = this.device;
    if (!device || !names.length) return;
    const size = 16 * names.length;
    const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(queries, 0, 2 * names.length, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const times = new BigUint64Array(staging.getMappedRange());
    names.forEach((name, i) => {
      const row = this.#rows.get(name);
      if (row) row.ms = (row.ms ?? 0) + Number(times[2 * i + 1] - times[2 * i]) / 1e6;
    });
    for (const buffer of [resolved, staging]) buffer.destroy();
    queries.destroy();
  }
}

/** The rows as a table of text. */
export function formatProfile(rows: readonly ProfileRow[]): string {
  const lines = [["kernel", "calls", "ms", "GFLOP/s", "GB/s"]];
  for (const { kernel, calls, ms, flops, bytes } of rows) {
    const rate = (amount: number) => (ms ? (amount / ms / 1e6).toFixed(2) : "–");
    lines.push([kernel, String(calls), ms === null ? "–" : ms.toFixed(2), rate(flops), rate(bytes)]);
  }
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines.map((line) => line.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  ")).join("\n");
}
