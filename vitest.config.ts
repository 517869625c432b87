// Unit, golden and floor tests: in Node, with WebGPU from npm `webgpu`; the browsers' tests are in tests/e2e.
import { defineConfig } from "vitest/config";
import { gpuEnvironment } from "./tools/environment.mjs";

export default defineConfig({
  oxc: { target: "es2022" }, // Node 20 has no `using`
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/e2e/**"],
    env: gpuEnvironment(),
    // A Dawn instance does not survive its thread, and a process of its own also keeps device loss to one file.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 300_000, // a software GPU compiles shaders at their first launch, slowly where the machine is busy
    hookTimeout: 300_000,
  },
});
