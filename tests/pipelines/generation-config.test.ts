// generation_config.json as transformers means it.
import { describe, expect, it } from "vitest";
import { readGenerationConfig } from "../../src/pipelines/generation-config.ts";

describe("generation_config.json", () => {
  it("is transformers' defaults where there is none", () => {
    expect(readGenerationConfig(null, {}, [7])).toEqual({
      doSample: false, temperature: 1, topK: 50, topP: 1, minP: 0, typicalP: 1, repetitionPenalty: 1, noRepeatNgramSize: 0, maxNewTokens: null, minNewTokens: 0, endTokens: [7],
    });
  });

  it("states sampling, lengths and several end tokens", () => {
    const json = { do_sample: true, temperature: 0.6, top_k: 20, top_p: 0.95, repetition_penalty: 1.05, max_new_tokens: 64, eos_token_id: [3, 1], transformers_version: "5", pad_token_id: null };
    expect(readGenerationConfig(json, { eos_token_id: 9 }, [7])).toMatchObject({ doSample: true, temperature: 0.6, topK: 20, topP: 0.95, repetitionPenalty: 1.05, maxNewTokens: 64, endTokens: [3, 1] });
  });

  it("takes the model's end token where it states none", () => {
    expect(readGenerationConfig({ eos_token_id: null }, { eos_token_id: 9 }, [7]).endTokens).toEqual([9]);
  });

  it("refuses what would change the text and is not supported, by name", () => {
    expect(() => readGenerationConfig({ num_beams: 4 }, {}, [])).toThrow(/"num_beams" \(4\) is not supported/);
    expect(() => readGenerationConfig({ suppress_tokens: [1] }, {}, [])).toThrow(/"suppress_tokens"/);
    expect(() => readGenerationConfig({ num_beams: 1, guidance_scale: 1, suppress_tokens: null }, {}, [])).not.toThrow();
    expect(() => readGenerationConfig({ temperature: "hot" }, {}, [])).toThrow(/"temperature" expected a number/);
    expect(() => readGenerationConfig({ eos_token_id: "</s>" }, {}, [])).toThrow(/eos_token_id: a token's id/);
    expect(() => readGenerationConfig([], {}, [])).toThrow(/no JSON object/);
  });
});
