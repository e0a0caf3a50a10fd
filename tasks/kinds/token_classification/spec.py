"""Token classification as the stages, the registry and the commands know it."""

from configs.token_encodings import TokenClassificationEncode

from ..spec import Kind

SPECS = {
    "token_classification": Kind(
        TokenClassificationEncode.traits,
        "a model that finds entities in texts",
        libraries=("tokenizers", "transformers"),
        requirements=("tokenizers",),
        plain="AutoModelForTokenClassification",
        answers={"entities": "string", "probability": "double"},
        exports=True,
        rescored_by="tag_texts",
        rescored=(("entities", "predicted"),),
        inspected=True,
        starter="a small new model finds entities (the default where words have tags, or texts spans)",
    )
}
