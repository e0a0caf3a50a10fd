"""Dialogue as the stages, the registry and the commands know it."""

from configs.encodings import DialogueEncode

from ..spec import Kind

SPECS = {
    "dialogue": Kind(
        DialogueEncode.traits,
        "a dialogue model",
        libraries=("tokenizers", "transformers", "jinja2"),
        requirements=("tokenizers", "jinja2"),
        plain="AutoModelForCausalLM",
        chats=True,
        starter="a small new model generates the assistant's turns (the default where a column has lists of messages, "
        "or prompts and completions)",
        rescored_by="write_turns",
        rescored=(("written", "written"), ("ended", "ended")),
    )
}
