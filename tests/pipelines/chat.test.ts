// chat.completions.create gives what OpenAI's clients expect, and asks the pipeline for what they mean.
import { describe, expect, it } from "vitest";
import type { ChatCompletionChunk } from "../../src/pipelines/chat-types.ts";
import { chatOf, optionsOf } from "../../src/pipelines/chat.ts";
import { fakeTextLoader } from "../fake-text-pipeline.ts";

const messages = [{ role: "user", content: "one two three" }];

async function chat() {
  const { load, log } = fakeTextLoader();
  return { completions: chatOf(await load()).completions, log };
}

describe("chat.completions.create", () => {
  it("answers whole", async () => {
    const { completions, log } = await chat();
    const answer = await completions.create({ messages, max_tokens: 2 });
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "storyteller",
      choices: [{ index: 0, message: { role: "assistant", content: "one two" }, finish_reason: "length", logprobs: null }],
      usage: { prompt_tokens: 2, completion_tokens: 2, total_tokens: 4, prompt_tokens_details: { cached_tokens: 1 } },
    });
    expect(answer.id).toMatch(/^chatcmpl-/);
    expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(60);
    expect(log.inputs).toEqual([messages]);
  });

  it("streams pieces: the role first, the reason last, usage where asked for", async () => {
    const { completions } = await chat();
    const chunks: ChatCompletionChunk[] = [];
    for await (const chunk of await completions.create({ messages, stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
    expect(chunks[0].choices[0].delta).toEqual({ role: "assistant", content: "" });
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("one two three");
    expect(chunks.at(-2)?.choices[0]).toMatchObject({ delta: {}, finish_reason: "stop" });
    expect(chunks.at(-1)).toMatchObject({ object: "chat.completion.chunk", choices: [], usage: { completion_tokens: 3 } });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  it("gives log-probabilities with the tokens' bytes", async () => {
    const { completions } = await chat();
    const { choices } = await completions.create({ messages: [{ role: "user", content: "é" }], logprobs: true, top_logprobs: 1 });
    expect(choices[0].logprobs?.content).toEqual([{ token: "é", bytes: [0xc3, 0xa9], logprob: -0.5, top_logprobs: [{ token: "é", bytes: [0xc3, 0xa9], logprob: -0.5 }] }]);
  });

  it("stops the work when its loop is left", async () => {
    const { completions, log } = await chat();
    for await (const { choices } of await completions.create({ messages, stream: true })) if (choices[0].delta.content) break;
    expect(log.ended).toBe(1);
  });

  it("rejects with the signal's reason", async () => {
    const { completions } = await chat();
    await expect(completions.create({ messages }, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("a request as options", () => {
  it("says greedy for temperature 0, and samples with any other", () => {
    expect(optionsOf({ messages, temperature: 0 })).toMatchObject({ doSample: false });
    expect(optionsOf({ messages, temperature: 0.5, top_p: 0.9 })).toMatchObject({ doSample: true, temperature: 0.5, topP: 0.9 });
    expect(optionsOf({ messages, top_p: 0.9 })).toMatchObject({ doSample: true, topP: 0.9 });
    expect(optionsOf({ messages })).not.toHaveProperty("doSample"); // the model's own
  });

  it("carries the rest over", () => {
    const schema = { type: "object" };
    const request = { messages, max_tokens: 5, max_completion_tokens: 7, stop: "END", seed: 3, presence_penalty: 1, frequency_penalty: 0.5, logit_bias: { 5: -100 } };
    expect(optionsOf({ ...request, response_format: { type: "json_schema", json_schema: { name: "x", schema } } })).toMatchObject({
      maxNewTokens: 7, stopStrings: ["END"], seed: 3, presencePenalty: 1, frequencyPenalty: 0.5, logitBias: { 5: -100 }, responseFormat: { type: "json_schema", schema },
    });
  });

  it("refuses several answers and no messages", () => {
    expect(() => optionsOf({ messages, n: 2 })).toThrow(/n: 1 expected, got 2/);
    expect(() => optionsOf({ messages: [] })).toThrow(/messages: a list/);
  });
});
