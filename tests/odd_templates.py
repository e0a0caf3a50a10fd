"""Small chat templates, one for each thing that published ones do and ChatML does not."""

HEAD, END = "{{- '<|im_start|>' + message.role + '\\n' }}", "{{- '<|im_end|>\\n' }}"
PROMPT = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
TOOLS = "{%- if tools %}{{- '<|im_start|>system\\n' + tools | tojson + '<|im_end|>\\n' }}{%- endif %}"
CALLS = """\
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' + call.function.arguments | tojson }}
{{- '}</tool_call>' }}{%- endfor %}"""
EACH, DONE = "{%- for message in messages %}", "{%- endfor %}"


def chat(turn: str, *, before: str = TOOLS, prompt: str = PROMPT) -> str:
    """A template of a turn's text."""
    return before + EACH + turn + DONE + prompt


SAID = "{{- message.content }}"
PLAIN = chat(HEAD + SAID + CALLS + END)
WITH_BOS = "{{- bos_token }}" + PLAIN
TWO_ENDS = chat(
    HEAD
    + "{%- if message.role == 'assistant' %}{{- '<|reply|>' + message.content + '<|/reply|>' }}"
    + CALLS
    + "{%- else %}{{- message.content }}{%- endif %}"
    + END
)
"""A special token behind a reply that does not end the turn (Cohere)."""
UNASKED = chat(
    HEAD + SAID + CALLS + END + "{%- if loop.last and message.role == 'assistant' %}"
    "{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
"""A generation prompt behind a finished turn, unasked."""
END_INSIDE = chat(
    HEAD + SAID + "{%- if message.tool_calls %}{{- '<|im_end|>\\ncall\\n' }}" + CALLS + "{%- endif %}" + END
)
"""Text, the end token, and a call in one turn (GigaChat3): a call without text begins with the end token."""
END_WITHIN = END_INSIDE.replace("'<|im_end|>\\ncall\\n'", "'I call.<|im_end|>\\ncall\\n'")
"""The same, but generation would stop behind words that every call begins with."""
UNPROMPTED = chat(
    HEAD + SAID + CALLS + END,
    prompt=PROMPT.replace("add_generation_prompt", "add_generation_prompt and messages[-1].role == 'user'"),
)
"""No generation prompt behind a tool's result."""
AS_TEXT = PLAIN.replace("call.function.arguments | tojson", "call.function.arguments | string")
"""Arguments as they are: JSON text of JSON text, Python's of an object."""
THINKING = chat(
    HEAD + "{%- if message.reasoning_content or (message.role == 'assistant' and enable_thinking is false) %}"
    "{{- '<think>\\n' + (message.reasoning_content or '') + '\\n</think>\\n' }}{%- endif %}" + SAID + CALLS + END
)
OPENED = THINKING.replace(
    "{{- '<|im_start|>assistant\\n' }}{%- endif %}",
    "{{- '<|im_start|>assistant\\n<think>\\n' + ('\\n</think>\\n' if enable_thinking is false else '') }}{%- endif %}",
)
"""A generation prompt that opens thoughts, or closes them where the option says so."""
IN_PARTS = chat(
    HEAD
    + "{%- for part in message.content %}{%- if part.type == 'text' %}{{- part.text }}{%- endif %}{%- endfor %}"
    + CALLS
    + END
)
"""Content as a list of parts (Idefics)."""
BLANK_PROMPT = PLAIN.replace("'<|im_start|>assistant\\n'", "'<|im_start|>assistant\\n\\n'")
"""A generation prompt with a line break more than turns begin with (Granite)."""
SYSTEM_LAST = chat(
    "{%- if message.role != 'system' %}" + HEAD + "{%- if loop.last and message.role == 'user' and messages[0].role =="
    " 'system' %}{{- messages[0].content + '\\n' }}{%- endif %}" + SAID + CALLS + END + "{%- endif %}"
)
"""A system turn that is written with a user turn, and there alone where that is the last turn (Mistral)."""
TAKEN_APART = chat(
    "{{- '<|im_start|>' + message.role + '\\n' }}{%- set cut = message.content.split('</think>') %}"
    "{%- if message.role == 'assistant' and loop.last and cut | length > 1 %}"
    "{{- '<think>' + cut[0].split('<think>')[-1].strip() }}{%- endif %}"
    "{{- ('</think>' if message.role == 'assistant' else '') + cut[-1].strip() }}",
    prompt=PROMPT.replace("assistant\\n", "assistant\\n<think>"),
)
"""Thoughts inside the content that the template takes apart, and no token behind a turn (GLM)."""
SHUT = THINKING.replace(
    "{{- '<|im_start|>assistant\\n' }}{%- endif %}",
    "{{- '<|im_start|>assistant\\n' + ('' if enable_thinking else '<think></think>') }}{%- endif %}",
)
"""A generation prompt that shuts thoughts unless the option opens them (Gemma 4)."""
LAST_DIFFERS = chat(
    HEAD + SAID + CALLS + "{%- if message.role == 'tool' and not loop.last %}{{- '\\n' }}{%- endif %}" + END
)
"""A result is written otherwise where it is the last turn (Hermes)."""
JOINED = (
    """\
{%- for message in messages %}
{%- if not (message.role == 'assistant' and not loop.first and messages[loop.index0 - 1].role == 'assistant') %}
{{- '<|im_start|>' + message.role + '\\n' }}{%- endif %}{{- message.content }}
{%- if loop.last or messages[loop.index0 + 1].role != message.role %}{{- '<|im_end|>\\n' }}{%- endif %}
{%- endfor %}"""
    + PROMPT
)
"""Two replies in a row become one."""
MARKED = chat(
    "{%- if message.role == 'assistant' %}{%- generation %}" + HEAD + SAID + "{{- '<|im_end|>' }}{%- endgeneration %}"
    "{{- '\\n' }}{%- else %}" + HEAD + SAID + END + "{%- endif %}"
)
"""A generation block that covers the header as well."""
WITH_IDS = PLAIN.replace('\'{"name"', '\'{"id": "\' + call.id + \'", "name"').replace(
    '<tool_call>{"name": "\' +', '<tool_call>{"id": "\' + call.id + \'", "name": "\' +'
)
REWRITTEN = PLAIN.replace(SAID, "{{- message.content.replace('\\n\\n', '\\n') }}")
"""Empty lines are taken out of what a turn says (Falcon)."""
ESCAPED = chat(
    HEAD
    + SAID
    + "{%- for call in message.tool_calls or [] %}{{- '<call name=\"' + call.function.name + '\">' }}"
    + "{%- for key, value in call.function.arguments.items() %}{{- '<param name=\"' + key + '\">' }}"
    + "{{- '<![CDATA[' + value + ']]>' if value is string and '<' in value else value }}{{- '</param>' }}{%- endfor %}"
    + "{{- '</call>' }}{%- endfor %}"
    + END
)
"""A value that holds a mark of XML is written in another way (MiniCPM)."""
INDENTED = chat(
    "{{- '  ' }}" + HEAD + SAID + CALLS + END,
    prompt="{%- if add_generation_prompt %}{{- '    <|im_start|>assistant\\n\\n' }}{%- endif %}",
)
"""A prompt with other blanks around it than turns begin with: equal only where a reply begins with a line break."""
UNASKED_PROMPT = chat(
    "{{- message.role | capitalize + ': ' + message.content + '\\n\\n' }}"
    "{%- if loop.last and message.role == 'user' %}{{- 'Assistant:' }}{%- endif %}",
    before="",
    prompt="",
)
"""A prompt behind the last turn of a user whether it is asked for or not (ChatQA)."""
BARE_CALLS = chat(
    "{%- if message.role == 'assistant' and message.content is none %}{{- '<|im_start|>assistant\\n' }}"
    + CALLS
    + END
    + "{%- elif message.content is not none %}"
    + HEAD
    + SAID
    + END
    + "{%- endif %}"
)
"""Calls are written only where the content next to them is null (DeepSeek R1)."""
PICKY = chat(
    "{%- if message.tool_calls and loop.index0 %}{{- raise_exception('Calls need a functions turn') }}{%- endif %}"
    + HEAD
    + SAID
    + END
)
"""Every turn with calls is refused."""
TYPED_TOOLS = PLAIN.replace(
    "tools | tojson",
    "(tools | tojson if tools[0].function.parameters.properties | length == 1 else "
    "tools[0].function.parameters.properties.gorum.additionalProperties.type + tools | tojson)",
)
"""A schema of an object must say what it holds (Command R+)."""
