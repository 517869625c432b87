// Vitest reporter: each test's outcome as JSON, with the reason of every skip, for tools/test.mjs.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const outcomesFile = join(dirname(fileURLToPath(import.meta.url)), "../.cache/test/node.json");

/** @typedef {{ name: string, status: "passed" | "failed" | "skipped", message?: string }} Outcome */
/** @typedef {import("vitest/node").Reporter} Reporter */

/** @implements {Reporter} */
export default class OutcomeReporter {
  /**
   * @param {ReadonlyArray<import("vitest/node").TestModule>} modules
   * @param {ReadonlyArray<import("vitest/node").SerializedError>} unhandled
   */
  onTestRunEnd(modules, unhandled) {
    const outcomes = [
      ...modules.flatMap((module) => outcomesOf(module)),
      ...unhandled.map((error) => failed("outside of a test", error.message)),
    ];
    mkdirSync(dirname(outcomesFile), { recursive: true });
    writeFileSync(outcomesFile, JSON.stringify(outcomes, undefined, 1));
  }
}

/** @param {import("vitest/node").TestModule} module @returns {Outcome[]} */
function outcomesOf(module) {
  const file = module.relativeModuleId;
  const suites = [module, ...module.children.allSuites()];
  const broken = suites.flatMap((suite) => suite.errors().map((error) => failed(`${file} (as a whole)`, error.message)));
  const tests = [...module.children.allTests()].map((test) => {
    const result = test.result();
    const name = `${file} › ${test.fullName}`;
    if (result.state === "passed") return { name, status: /** @type {const} */ ("passed") };
    if (result.state === "skipped") return { name, status: /** @type {const} */ ("skipped"), message: result.note };
    return failed(name, result.errors?.map((error) => error.message).join("\n") ?? "did not run");
  });
  return [...broken, ...tests];
}

/** @param {string} name @param {string} message @returns {Outcome} */
function failed(name, message) {
  return { name, status: "failed", message };
}
