"""Golden prompts: chat templates as published (those whose licence permits a copy: each names its source and licence in
golden/chat-templates/templates.json), and templates of the constructions that others use, rendered by transformers.
Run: python tests/reference/chat_templates.py"""
import json
from datetime import datetime
from pathlib import Path

import transformers
from transformers.utils import chat_template_utils

GOLDEN = Path(__file__).parent / "golden" / "chat-templates"


class FixedDate(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 5, 9, 7, 4)


chat_template_utils.datetime = FixedDate

TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Wetter, \"now\" & <here>", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "Größe 🌍"}, "days": {"type": "integer", "enum": [1, 2, 3]}}, "required": ["city"]}}}]
SYSTEM = {"role": "system", "content": "  Be brief.\n"}
USER = {"role": "user", "content": "Hi — 'quoted' \"text\" <b>&amp;</b> \t\n "}
ANSWER = {"role": "assistant", "content": "<think>\n hmm \n</think>\n\n  Hello! \n"}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "id": "abcdefghi", "function": {
    "name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "x": 1.5, "y": None, "z": True, "w": [1, "a", {}]}}}]}
RESULT = {"role": "tool", "tool_call_id": "abcdefghi", "name": "get_weather", "content": "{\"t\": 21}"}
AGAIN = {"role": "user", "content": "And?"}

CHATS = {
    "user": {"messages": [USER]},
    "system": {"messages": [SYSTEM, USER]},
    "turns": {"messages": [SYSTEM, USER, ANSWER, AGAIN]},
    "prompt": {"messages": [SYSTEM, USER, ANSWER, AGAIN], "addGenerationPrompt": True},
    "no answer": {"messages": [USER, AGAIN], "addGenerationPrompt": True},
    "answer first": {"messages": [ANSWER, USER]},
    "tools": {"messages": [SYSTEM, USER], "tools": TOOLS, "addGenerationPrompt": True},
    "tool call": {"messages": [SYSTEM, USER, CALL, RESULT], "tools": TOOLS, "addGenerationPrompt": True},
    "no thinking": {"messages": [USER], "addGenerationPrompt": True, "variables": {"enable_thinking": False}},
    "parts": {"messages": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "text", "text": " here"}]}], "addGenerationPrompt": True},
    "reasoning": {"messages": [USER, {"role": "assistant", "content": "Yes.", "reasoning": "because", "tool_calls": None}, AGAIN], "addGenerationPrompt": True},
    "another role": {"messages": [{"role": "narrator", "content": "x"}]},
    "empty": {"messages": [{"role": "user", "content": ""}], "addGenerationPrompt": True},
}

# Constructions of templates that are not copied here: Llama 3's header with its date, Gemma's renamed roles and merged system
# text, Llama 2's alternation, and what Python does otherwise than JavaScript.
WRITTEN = {
    "header with date": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y, %A %j %H:%M:%S %p %-d") %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set first = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set first = "" %}
{%- endif %}
{{- "[system]" + date_string + "\\n" + first }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
    {%- endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '[' + message['role'] + ']\\n\\n' + message['content'] | trim + '[end]' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}{{- call.arguments | tojson }}{{- "}" }}
    {%- else %}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- else %}{{- message.content }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '[assistant]\\n\\n' }}{%- endif %}
""",
    "renamed roles": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}{%- set prefix = messages[0]['content'] + '\\n\\n' -%}{%- else -%}{%- set prefix = messages[0]['content'][0]['text'] -%}{%- endif -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set prefix = "" -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception("roles must alternate") }}{%- endif -%}
    {%- if (message['role'] == 'assistant') -%}{%- set role = "model" -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}
    {{ '<turn>' + role + '\\n' + (prefix if loop.first else "") }}
    {%- if message['content'] is string -%}{{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}{%- if item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}
    {%- else -%}{{ raise_exception("what content is this") }}{%- endif -%}
    {{ '</turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<turn>model\\n' }}{%- endif -%}
""",
    "python's values": """{{ none }}|{{ true }}|{{ false }}|{{ nothing }}|{{ [1, 'a', none, true, 1.5, "it's", 'say "x"', "é\\n"] }}|{{ {'a': {'b': [1]}} }}|{{ (1, 2) }}|{{ messages[0] }}
{{ 1 == true }}|{{ '' == false }}|{{ '1' == 1 }}|{{ none == false }}|{{ [1, [2]] == [1, [2]] }}|{{ {'a': 1} == {'a': 1} }}|{{ 'a' ~ 1 ~ none ~ true }}
{{ '\\n x\\n\\n'.strip('\\n') }}|{{ '--x--'.lstrip('-') }}|{{ 'x \\ufeff'.strip() }}|{{ 'abcabc'.replace('b', '') }}|{{ ' a  b '.split() }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'ab' | upper }}
{%- for c in 'añ' %}[{{ c }}]{% endfor %}{% for k, v in {'x': 1, 'y': 2}.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}
{%- set ns = namespace(n=0) %}{% for i in range(5) %}{% if i == 3 %}{% break %}{% endif %}{% if i == 1 %}{% continue %}{% endif %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}
{%- macro shout(text, mark='!') -%}{{ text | upper }}{{ mark }}{%- endmacro %}{{ shout('hi') }}{{ shout('ho', mark='?') }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }}|{{ messages | rejectattr('tool_calls', 'undefined') | list | length }}|{{ messages | map(attribute='role') | join(', ') }}
{{ dict(a=1, b='x') | tojson }}|{{ messages[-1].content | default('none') }}|{{ messages[::-1][0].role }}|{{ 7 // 2 }}|{{ 7 % 3 }}|{{ 2 ** 3 }}|{{ 7 / 2 }}
  {% if true %}
kept
  {% endif %}
{% generation %}marked{% endgeneration %}
""",
    "text and number": "{{ 'a' + 1 }}",
    "text and list": "{{ messages[0].content + [] }}",
}


def render(template: str, chat: dict) -> str | None:
    messages = [{key: value for key, value in message.items() if value is not None} for message in chat["messages"]]
    try:
        rendered, _ = chat_template_utils.render_jinja_template(
            conversations=[messages], tools=chat.get("tools"), documents=None, chat_template=template, add_generation_prompt=chat.get("addGenerationPrompt", False),
            bos_token="<s>", eos_token="</s>", unk_token="<unk>", **chat.get("variables", {}))
    except Exception as error:  # jinja2's, or Python's own
        print(" ", type(error).__name__, str(error)[:90])
        return None
    return rendered[0]


def main() -> None:
    published = json.loads((GOLDEN / "templates.json").read_text(encoding="utf-8"))
    templates = {name: entry["template"] for name, entry in published.items()} | WRITTEN
    prompts = {name: {chat: render(template, CHATS[chat]) for chat in CHATS} for name, template in templates.items()}
    value = {"transformers": transformers.__version__, "chats": CHATS, "written": WRITTEN, "prompts": prompts}
    path = GOLDEN / "prompts.json"
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
