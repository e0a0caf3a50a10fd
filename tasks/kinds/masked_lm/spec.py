"""Masked language modelling as the stages, the registry and the commands know it."""

from configs.encodings import MaskedEncode

from ..spec import Kind

SPECS = {
    "masked": Kind(
        MaskedEncode.traits,
        "a masked language model",
        libraries=("tokenizers", "transformers", "numpy"),
        requirements=("tokenizers",),
        plain="AutoModelForMaskedLM",
        answers={"filled": "string", "probability": "double"},
        masks=True,
        exports=True,
        rescored_by="predict_hidden",
        rescored=(("tokens", "tokens"), ("right", "right"), ("loss", "loss")),
    )
}
