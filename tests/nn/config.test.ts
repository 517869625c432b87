// Strict configs: every key is used, known, or refused by name.
import { describe, expect, it } from "vitest";
import { Config, ConfigError } from "../../src/nn/config.ts";

describe("config", () => {
  it("reads what is there and falls back to defaults", () => {
    const config = new Config("Net", { channels: 8, blocks: [1, 2], act_fn: "silu", bias: false });
    expect(config.count("channels")).toBe(8);
    expect(config.counts("blocks")).toEqual([1, 2]);
    expect(config.countPerBlock("layers", 2, 3)).toEqual([3, 3]);
    expect(config.oneOf("act_fn", ["silu", "gelu"])).toBe("silu");
    expect(config.boolean("bias")).toBe(false);
    expect(config.number("eps", 1e-5)).toBe(1e-5);
    config.finish();
  });

  it("names the key, what was expected and what came", () => {
    const config = new Config("Net", { channels: -1, act_fn: "mish" });
    expect(() => config.count("channels")).toThrow('Net: config key "channels" expected a positive whole number, got -1');
    expect(() => config.oneOf("act_fn", ["silu"])).toThrow('Net: config key "act_fn" expected "silu", got "mish"');
    expect(() => config.count("absent")).toThrow(/"absent" expected .*, got nothing/);
    expect(() => new Config("Net", [])).toThrow(ConfigError);
  });

  it("refuses keys that nobody asked for, unless they are off or a publisher's note", () => {
    const config = new Config("Net", { _class_name: "Net", dropout: 0.1, extra: null, flag: false, class_embed_type: "timestep" });
    config.ignore("dropout");
    expect(() => config.finish()).toThrow('Net: config key "class_embed_type" ("timestep") is not supported');
  });
});
