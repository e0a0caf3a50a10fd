"""Regression as the stages, the registry and the commands know it."""

from configs.encodings import RegressionEncode

from ..spec import Kind

SPECS = {
    "regression": Kind(
        RegressionEncode.traits,
        "a model that predicts a number for a text",
        libraries=("tokenizers", "transformers"),
        requirements=("tokenizers",),
        plain="AutoModelForSequenceClassification",
        answers={"value": "double"},
        exports=True,
        rescored=(("value", "value"),),
        starter="a small new model predicts a number (the default where no column is a label and one called like a "
        "score holds many numbers)",
    )
}
