"""Preference as the stages, the registry and the commands know it."""

from configs.preference_encodings import PreferenceEncode

from ..spec import Kind

SPECS = {
    "preference": Kind(
        PreferenceEncode.traits,
        "a dialogue model that prefers replies",
        libraries=("tokenizers", "transformers", "jinja2"),
        requirements=("tokenizers", "jinja2"),
        plain="AutoModelForCausalLM",
        chats=True,
        reference=True,
        inspected=True,
        starter="a small new model learns to prefer replies (the default where columns are called chosen and rejected)",
        rescored_by="compare_replies",
        rescored=(("log_ratio", "log_ratio"),),
    )
}
