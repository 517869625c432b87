// The cache of model files in a dedicated worker.
import { showReport } from "./report.ts";

showReport(new Worker(new URL("./hub-worker.ts", import.meta.url), { type: "module" }));
