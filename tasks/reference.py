"""reference: an auxiliary artifact of `train`, what the model that a training is held to finds of encoded rows.

No stage of the flow: `train` asks for it where its kind needs it, and it is made once for all trainings that start from
the same weights and read the same rows, whatever else they change.
"""

from configs.reference import Reference

from .artifact import Artifact
from .cached import cached_task
from .kinds.referee import open_reference
from .kinds.spec import kind_in
from .output import Output

LIBRARIES = ("torch", "transformers", "safetensors", "numpy")


def libraries(section: Reference) -> tuple[str, ...]:
    """What its values depend on apart from the code; a quantised base and a GGUF file add what reads them."""
    gguf = getattr(section.model, "gguf", None) is not None
    added = {"gguf": gguf, "bitsandbytes": section.base != "float32"}
    return (*LIBRARIES, *(name for name, needed in added.items() if needed))


@cached_task(
    makes="reference",
    opens={"encoded": ("train.parquet", "validation.parquet", "tokenizer.json", "encoding.json")},
    libraries=libraries,
    kind=("reference",),
)
def reference(out: Output, section: Reference, encoded: Artifact) -> None:
    """Score the training and validation rows; what a killed run scored is not scored again. Raises DataError."""
    folder = encoded.file("encoding.json").parent
    open_reference(kind_in(folder)).write_reference(out, section, folder)
