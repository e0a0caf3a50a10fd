"""teacher: an auxiliary artifact of `train`, what a registered model scores for the training rows.

No stage of the flow: `train` asks for it where its recipe names teachers, and it is made once for all students that
read the same rows, whatever their losses, temperature and model are. Validation and test rows are never scored.
"""

from pathlib import Path

from configs.teacher import TeacherScores

from .artifact import Artifact
from .cached import cached_task
from .output import Output

LIBRARIES = ("torch", "transformers", "safetensors", "numpy", "tokenizers", "pillow")
SCORES = "scores.npy"
"""File of the artifact: float16 [rows, labels], rows and labels in the student's order."""


@cached_task(
    makes="teacher",
    opens={
        "encoded": ("train.parquet", "tokenizer.json", "encoding.json"),
        "splits": ("train.parquet", "images.parquet"),
    },
    libraries=LIBRARIES,
    kind=("training", "predictor"),
)
def teacher(out: Output, section: TeacherScores, encoded: Artifact, splits: Artifact) -> None:
    """Score the training rows; what a killed run scored is not scored again. Raises DataError."""
    import numpy as np

    from .kinds.teaching import score_training_rows

    folder = Path(section.model.path)  # type: ignore[union-attr]  # pinned
    folders = encoded.file("encoding.json").parent, splits.file("train.parquet").parent
    np.save(out.data / SCORES, score_training_rows(folder, *folders, scratch=out.scratch, done=out.progress))
