// npm run bench -- kernels: our kernels against tfjs-backend-webgpu and onnxruntime-web in one process on one adapter.
// Prints for each operation the milliseconds (median, p90), our GFLOP/s and GB/s, the share of what the device could do at best, and the ratio to the faster peer (above 1: we are faster).
import { create, globals } from "webgpu";
import { requestGpu } from "../../src/gpu/device.ts";
import { difference, measure } from "./measure.ts";
import { loadPeers } from "./peers.ts";
import { deviceBounds } from "./bounds.ts";
import { attentionRow, convRow, gegluRow, gemmRow, groupNormRow, type Row } from "./rows.ts";

/** The shapes of SD 1.5's UNet at 512². */
const FULL = () => [
  convRow(64, 320, 320), convRow(32, 640, 640), convRow(16, 1280, 1280), convRow(8, 2560, 1280),
  gemmRow(4096, 320, 2560), gemmRow(1024, 640, 5120), gemmRow(256, 1280, 10240),
  gegluRow(4096, 320, 1280), gegluRow(1024, 640, 2560), gegluRow(256, 1280, 5120),
  attentionRow(4096, 4096, 8, 40), attentionRow(4096, 4096, 5, 64), attentionRow(4096, 77, 8, 40),
  groupNormRow(64, 320), groupNormRow(32, 640),
];

/** The same ratios of pixels to channels, at most 0.1 GFLOP a call. */
const SMALL = () => [
  convRow(32, 64, 64), convRow(16, 128, 128), convRow(8, 256, 256), convRow(4, 512, 256),
  gemmRow(512, 80, 640), gemmRow(128, 160, 1280), gemmRow(32, 320, 2560),
  gegluRow(512, 80, 320), gegluRow(128, 160, 640), gegluRow(32, 320, 1280),
  attentionRow(256, 256, 8, 40), attentionRow(256, 256, 5, 64), attentionRow(1024, 77, 8, 40),
  groupNormRow(32, 128), groupNormRow(16, 256),
];

Object.assign(globalThis, globals);
const api = create([]);
const gpu = await requestGpu({ gpu: api });
const peers = await loadPeers(api);
const bounds = await deviceBounds(gpu);

console.log(`${gpu.adapterName}${gpu.traits.software ? " (the CPU plays the GPU: shapes scaled to at most 0.1 GFLOP a call)" : ""}`);
console.log(`At best ${bounds.gflops.toFixed(1)} GFLOP/s in registers, ${bounds.gigabytes.toFixed(1)} GB/s copied, ${(1e3 * bounds.dispatchMs).toFixed(0)} µs a launch. f32. onnxruntime submits every run by itself.`);
const header = ["operation", "kiln ms", "p90", "GFLOP/s", "GB/s", "of bound", "tfjs ms", "p90", "ort ms", "p90", "ratio"];
const table: string[][] = [header];
const only = process.argv.slice(2).join(" ");
for (const row of (gpu.traits.software ? SMALL : FULL)()) if (row.name.includes(only)) await runRow(row);
const widths = header.map((_, column) => Math.max(...table.map((line) => line[column].length)));
for (const line of table) console.log(line.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  "));
gpu.destroy();
process.exit(process.exitCode ?? 0); // the peers keep the process alive

async function runRow(row: Row): Promise<void> {
  const contenders = await row.contenders(gpu, peers.tf, peers.ort);
  const [ours, ...others] = contenders;
  const expected = await ours.result();
  for (const other of others) {
    const off = difference(await other.result(), expected);
    if (!(off < 1e-3)) {
      console.error(`bench: ${row.name}: ${other.name} and kiln differ by ${off}`);
      process.exitCode = 1;
    }
  }
  const timings = await measure(contenders);
  for (const contender of contenders) await contender.release();
  const [kiln, ...peerTimes] = timings;
  const of = (name: string) => peerTimes.find((timing) => timing.name === name);
  const ms = (value: number | undefined) => (value === undefined ? "–" : value.toFixed(2));
  const least = Math.max(row.flops / bounds.gflops / 1e6, row.bytes / bounds.gigabytes / 1e6) + bounds.dispatchMs;
  const fastest = Math.min(...peerTimes.map(({ median }) => median));
  table.push([
    row.name, ms(kiln.median), ms(kiln.p90),
    (row.flops / kiln.median / 1e6).toFixed(1), (row.bytes / kiln.median / 1e6).toFixed(2), `${((100 * least) / kiln.median).toFixed(0)} %`,
    ms(of("tfjs")?.median), ms(of("tfjs")?.p90), ms(of("onnxruntime")?.median), ms(of("onnxruntime")?.p90),
    peerTimes.length ? (fastest / kiln.median).toFixed(2) : "–",
  ]);
}
