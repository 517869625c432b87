// WebGPU in a dedicated worker, with no engine in between.
import { showReport } from "./report.ts";

showReport(new Worker(new URL("./webgpu-worker.ts", import.meta.url), { type: "module" }));
