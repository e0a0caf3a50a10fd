"""Text classification as the stages, the registry and the commands know it."""

from dataclasses import replace

from configs.encodings import ClassifierEncode, GenerativeEncode

from ..spec import Kind

HEAD = Kind(
    ClassifierEncode.traits,
    "a text classifier",
    libraries=("tokenizers", "transformers"),
    requirements=("tokenizers",),
)
SPECS = {
    "classifier": HEAD,
    "generative": replace(HEAD, traits=GenerativeEncode.traits, noun="a language model that answers with a label word"),
}
