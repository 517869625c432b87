// The studio on a scripted pipeline. studio.html?state=failed|unsupported&load=MS&step=MS&cached
import { GpuError } from "../../../src/gpu/errors.ts";
import type { Engine } from "../../../src/studio/engine.ts";
import "../../../src/studio/studio.ts";
import { fakeLoader, fakeModel } from "../../fake-pipeline.ts";

const asked = new URLSearchParams(location.search);
const state = asked.get("state");

const { load } = fakeLoader({
  loadMs: Number(asked.get("load") ?? 0),
  stepMs: Number(asked.get("step") ?? 20),
  failAt: state === "failed" ? { step: 3, error: new GpuError("out-of-memory", "GPU memory is used up: a buffer of 128 MB could not be made") } : undefined,
});

declare global {
  interface Window {
    /** What was loaded, as JSON, for checks to read. */
    loads: string[];
  }
}
window.loads = [];

const engine: Engine = {
  async support() {
    if (state === "unsupported") throw new GpuError("no-webgpu", "This browser has no WebGPU");
    return fakeModel.adapter;
  },
  look: async () => ({ task: "text-to-image", card: fakeModel.card, bytes: 38_400_000, cached: asked.has("cached") }),
  load(place, options) {
    window.loads.push(JSON.stringify({ place, hubUrl: options.hubUrl }));
    return load(place, options);
  },
};

document.body.append(Object.assign(document.createElement("kiln-studio"), { engine }));
