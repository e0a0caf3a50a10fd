"""Backward classification as the stages, the registry and the commands know it."""

from configs.encodings import BackwardEncode

from ..spec import Kind

SPECS = {
    "backward": Kind(
        BackwardEncode.traits,
        "a classifier that reads texts backwards",
        libraries=("tokenizers", "transformers"),
        requirements=("tokenizers",),
        starter="a tiny new model reads texts backwards",
    )
}
