// A generation is iterated, awaited, or both; left early, it ends its work.
import { describe, expect, it } from "vitest";
import { generation } from "../../src/pipelines/generation.ts";

async function* counting(upTo: number, log: string[] = []): AsyncGenerator<number, string, void> {
  try {
    for (let i = 1; i <= upTo; i++) yield i;
    return `counted to ${upTo}`;
  } finally {
    log.push("cleaned up");
  }
}

describe("generation", () => {
  it("gives its result when awaited", async () => {
    expect(await generation(counting(3))).toBe("counted to 3");
  });

  it("gives its steps when iterated, and its result afterwards", async () => {
    const work = generation(counting(3));
    const steps: number[] = [];
    for await (const step of work) steps.push(step);
    expect(steps).toEqual([1, 2, 3]);
    expect(await work).toBe("counted to 3");
  });

  it("ends the work when the loop is left, and rejects who awaits", async () => {
    const log: string[] = [];
    const work = generation(counting(3, log));
    for await (const step of work) if (step === 2) break;
    expect(log).toEqual(["cleaned up"]);
    await expect(Promise.resolve(work)).rejects.toThrow(/left before its end/);
  });

  it("tells an error to whoever awaits or iterates", async () => {
    async function* failing(): AsyncGenerator<number, string, void> {
      yield 1;
      throw new RangeError("no more");
    }
    await expect(Promise.resolve(generation(failing()))).rejects.toThrow("no more");
    const iterate = async () => {
      for await (const step of generation(failing())) expect(step).toBe(1);
    };
    await expect(iterate()).rejects.toThrow(RangeError);
  });
});
