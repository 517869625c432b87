// Vite plugins for `new Worker(new URL("./x.ts", import.meta.url), { … })`, which the site's build handles by itself.
import type { Plugin } from "vite";

const spawned = /new Worker\(\s*new URL\("([^"]+)", import\.meta\.url\),\s*(\{[^}]*\})?,?\s*\)/g;

/** For one file without others beside it: the worker travels inside and starts from a blob. */
export function inlineWorkers(): Plugin {
  return {
    name: "kiln:inline-workers",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith(".ts") || code.search(spawned) < 0) return;
      const imports: string[] = [];
      const inlined = code.replace(spawned, (_, path: string, options = "") => {
        const name = `InlinedWorker${imports.length}`;
        imports.push(`import ${name} from "${path}?worker&inline";`);
        return `new ${name}(${options})`;
      });
      return { code: `${imports.join("")}${inlined}`, map: null };
    },
  };
}

/** For a library: says `new URL("./assets/x.js", import.meta.url)` plainly again, so that a site's bundler finds the worker. */
export function findableWorkers(): Plugin {
  const wrapped = /new URL\(\s*\/\* @vite-ignore \*\/\s*new URL\("([^"]+)", import\.meta\.url\)\.href,\s*"" \+ import\.meta\.url\s*\)/g;
  return {
    name: "kiln:findable-workers",
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        file.code = file.code.replace(wrapped, 'new URL("./$1", import.meta.url)');
        if (file.code.includes("@vite-ignore")) this.error(`${file.fileName}: a worker's address has a form that bundlers do not find`);
      }
    },
  };
}
