// npm run bench [-- name…]: runs tests/bench/*.ts, each in a process of its own, so that no device warms another's.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gpuEnvironment } from "./environment.mjs";
import { setupGpu, setupModules } from "./setup.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "tests/bench");
setupModules();
await setupGpu();

const all = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".bench.ts")) : [];
const wanted = process.argv.slice(2);
const chosen = all.filter((file) => wanted.length === 0 || wanted.some((name) => file.includes(name)));
if (chosen.length === 0) {
  console.error(`bench: none is named ${wanted.join(" or ")}; there are ${all.map((file) => file.replace(".bench.ts", "")).join(", ")}`);
  process.exit(2);
}
for (const file of chosen) {
  const script = [join(root, "tools/typescript.mjs"), `tests/bench/${file}`];
  const { status } = spawnSync(process.execPath, script, { cwd: root, stdio: "inherit", env: { ...process.env, ...gpuEnvironment() } });
  if (status !== 0) process.exitCode = 1;
}
