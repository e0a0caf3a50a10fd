"""evaluate: a trained model and the raw test rows come in; a report that a person can judge goes out."""

from configs.schema import Evaluate

from .artifact import Artifact
from .cached import cached_task
from .kinds.spec import kind_in, open_reporter
from .output import Output


@cached_task(
    makes="report",
    opens={
        "model": ("*",),
        "encoded": ("train.*", "test.*"),
        "splits": ("train.parquet", "test.parquet", "images.parquet"),
    },
    libraries=("torch", "transformers", "numpy", "scikit-learn"),
    kind=("report",),
)
def evaluate(out: Output, section: Evaluate, model: Artifact, encoded: Artifact, splits: Artifact) -> None:
    """Score the saved model once on the test rows, from their raw contents. Raises StageError, DataError."""
    folder = model.file("config.json").parent
    count, page = open_reporter(kind_in(folder)).evaluate(out, section, folder, encoded, splits)
    out.counts = {"in": count, "out": count, "dropped": 0}
    out.summary(page)
