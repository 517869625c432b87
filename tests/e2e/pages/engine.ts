// The engine in a dedicated worker.
import { showReport } from "./report.ts";

showReport(new Worker(new URL("./engine-worker.ts", import.meta.url), { type: "module" }));
