// The headless command: npm run kiln -- <task> [flags]. Results on stdout or in files, progress on stderr, mistakes in one line with exit code 2.
import { UsageError } from "./flags.ts";
import { plan, planUsage } from "./plan.ts";
import { endProgress } from "./progress.ts";
import { textGeneration, textGenerationUsage } from "./text-generation.ts";
import { textToImage, textToImageUsage } from "./text-to-image.ts";

interface Task {
  readonly usage: string;
  run(args: readonly string[], signal: AbortSignal): Promise<void>;
}

const tasks: Readonly<Record<string, Task>> = {
  "text-to-image": { usage: textToImageUsage, run: textToImage },
  "text-generation": { usage: textGenerationUsage, run: textGeneration },
  plan: { usage: planUsage, run: plan },
};

async function main([name, ...args]: readonly string[], signal: AbortSignal): Promise<void> {
  const usage = Object.values(tasks).map((task) => task.usage).join("\n");
  if (name === "--help" || name === "-h" || (name && args.includes("--help"))) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  const task = name !== undefined && Object.hasOwn(tasks, name) ? tasks[name] : undefined;
  if (!task) throw new UsageError(`${name === undefined ? "a task is missing" : `unknown task "${name}"`}; there is: ${Object.keys(tasks).join(", ")}. See --help`);
  await task.run(args, signal);
}

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort(new DOMException("Interrupted", "AbortError")));

try {
  await main(process.argv.slice(2), interrupt.signal);
  process.exit(0); // Dawn's threads would keep the process
} catch (error) {
  endProgress();
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`kiln: ${process.env.KILN_DEBUG && error instanceof Error ? error.stack : message.replaceAll("\n", " ")}\n`);
  process.exit(interrupt.signal.aborted ? 130 : 2); // as shells count an interrupted command
}
