"""Text classification as the stages, the registry and the commands know it."""

from dataclasses import replace

from configs.encodings import ClassifierEncode, LabelWordEncode

from ..spec import Kind

HEAD = Kind(
    ClassifierEncode.traits,
    "a text classifier",
    libraries=("tokenizers", "transformers"),
    requirements=("tokenizers",),
    plain="AutoModelForSequenceClassification",
    exports=True,
    starter="a pretrained model has a head that chooses the label; images get a small new net without it",
)
SPECS = {
    "classifier": HEAD,
    "label_word": replace(
        HEAD,
        traits=LabelWordEncode.traits,
        noun="a language model that predicts a label word",
        plain="",
        starter="a small new model generates the label (the default for texts that no installed weights fit)",
    ),
}
