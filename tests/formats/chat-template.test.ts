// Chat templates against transformers' apply_chat_template: published ones and ones of the constructions that others use
// (tests/reference/chat_templates.py); then templates that refuse, that are broken, and that would take for ever.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type ChatMessage, ChatTemplate, pickChatTemplate, type RenderOptions } from "../../src/formats/chat-template.ts";
import { FormatError } from "../../src/formats/errors.ts";
import { dateText } from "../../src/formats/python-values.ts";

interface Chat extends RenderOptions {
  messages: ChatMessage[];
}

const golden = new URL("../reference/golden/chat-templates/", import.meta.url);
const published = JSON.parse(readFileSync(new URL("templates.json", golden), "utf8")) as Record<string, { licence: string; template: string }>;
const { chats, written, prompts } = JSON.parse(readFileSync(new URL("prompts.json", golden), "utf8")) as {
  chats: Record<string, Chat>;
  written: Record<string, string>;
  prompts: Record<string, Record<string, string | null>>; // null: transformers refuses
};
const templates = { ...Object.fromEntries(Object.entries(published).map(([name, { template }]) => [name, template])), ...written };
const tokens = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" };
const now = new Date(2026, 2, 5, 9, 7, 4);

describe.each(Object.keys(templates))("%s", (name) => {
  const template = new ChatTemplate(templates[name], tokens);

  test.each(Object.keys(chats))("%s", (chat) => {
    const { messages, ...options } = chats[chat];
    const expected = prompts[name][chat];
    const render = (): string => template.render(messages, { ...options, now });
    if (expected === null) expect(render).toThrow(FormatError);
    else expect(render()).toBe(expected);
  });
});

const hello = [{ role: "user", content: "Hello" }];
const failing = (source: string, messages: ChatMessage[] = hello) => (): string => new ChatTemplate(source, tokens).render(messages);

test.each<[string, string, string]>([
  ["refuses", "{{ raise_exception('only one system message, ' + messages[0].role) }}", "the chat template refuses these messages: only one system message, user"],
  ["is unfinished", "{% for m in messages %}", "the chat template cannot be parsed"],
  ["has a statement that is none", "{% frobnicate %}", "the chat template cannot be parsed"],
  ["has a filter that is none", "{{ messages | frobnicate }}", "the chat template failed"],
  ["calls what is nothing", "{{ messages.nothing() }}", "the chat template failed"],
  ["counts for ever", "{% for i in range(1000000000) %}x{% endfor %}", "counts to 1000000000"],
  ["counts for ever in loops", "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}", "takes more than"],
  ["doubles a text", "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}", "makes a text that is too large"],
  ["doubles a list", "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}", "makes a list that is too large"],
  ["replaces a text by itself", "{% set ns = namespace(s='xx') %}{% for i in range(99) %}{% set ns.s = ns.s.replace('x', ns.s) %}{% endfor %}{{ ns.s }}", "makes a text that is too large"],
  ["calls itself", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "the chat template"],
  ["nests too deep", `{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`, "the chat template cannot be parsed: it nests too deep"],
  ["is long", "x".repeat(300_000), "has 300000 characters"],
  ["has a long gap", `a${" ".repeat(5000)}b`, "blanks in a row"],
])("a template that %s is an error that says so, soon", (_what, source, message) => {
  const start = performance.now();
  expect(failing(source)).toThrow(expect.objectContaining({ name: "FormatError", message: expect.stringContaining(message) as unknown }));
  expect(performance.now() - start).toBeLessThan(20_000);
});

test("a chat without messages is an error, a long one is not", () => {
  expect(failing("x", [])).toThrow("at least one message");
  const many = Array.from({ length: 2000 }, (_, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content: `${i} `.repeat(100) }));
  expect(new ChatTemplate(published["Qwen/Qwen3-0.6B"].template, tokens).render(many).length).toBeGreaterThan(600_000);
});

test("a template sees no other names than its own, whatever messages and variables are called", () => {
  const template = new ChatTemplate("{{ messages[0].__proto__ }}|{{ messages[0].constructor }}|{{ constructor }}|{{ namespace is callable }}|{{ raise_exception is callable }}");
  const message = JSON.parse('{"role":"user","__proto__":"mine"}') as ChatMessage;
  expect(template.render([message], { variables: { namespace: 1, raise_exception: 1 } })).toBe("mine|||True|True");
});

test("the template is chosen as transformers does", () => {
  const named = { chat_template: [{ name: "default", template: "d" }, { name: "tool_use", template: "t" }] };
  expect(pickChatTemplate(null, null)).toBeNull();
  expect(pickChatTemplate(null, { chat_template: "c" })).toBe("c");
  expect(pickChatTemplate("j", { chat_template: "c" })).toBe("j");
  expect(pickChatTemplate(null, named)).toBe("d");
  expect(pickChatTemplate(null, named, { tools: true })).toBe("t");
  expect(pickChatTemplate(null, named, { name: "tool_use" })).toBe("t");
  expect(() => pickChatTemplate(null, named, { name: "rag" })).toThrow('there is no chat template "rag": default, tool_use');
  expect(() => pickChatTemplate(null, { chat_template: [{ name: "rag", template: "r" }] })).toThrow("none is the default: rag");
  expect(() => pickChatTemplate(null, { chat_template: [1] })).toThrow(FormatError);
});

test("dates are written as Python's strftime does", () => {
  expect(dateText(now, "%A %a %d %e %B %b %m %Y %y %H:%M:%S %I %p %j 100%% %-d.%-m. %Q")).toBe("Thursday Thu 05  5 March Mar 03 2026 26 09:07:04 09 AM 064 100% 5.3. %Q");
});
