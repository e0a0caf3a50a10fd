"""Several labels a text as the stages, the registry and the commands know them."""

from configs.label_encodings import MultiLabelEncode

from ..spec import Kind

SPECS = {
    "multi_label": Kind(
        MultiLabelEncode.traits,
        "a model that predicts any number of labels for a text",
        libraries=("tokenizers", "transformers"),
        requirements=("tokenizers",),
        plain="AutoModelForSequenceClassification",
        answers={"labels": "string"},
        exports=True,
        rescored=(("labels", "predicted"),),
        inspected=True,
        starter="a small new model predicts any number of labels (the default where a column holds lists of words)",
    )
}
