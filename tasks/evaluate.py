"""evaluate: a trained model and the raw test rows come in; a report that a person can judge goes out."""

from configs.schema import Evaluate

from .artifact import Artifact
from .cached import cached_task
from .store.output import Output


@cached_task(
    opens={
        "model": ("*",),
        "encoded": ("test.parquet",),
        "splits": ("train.parquet", "test.parquet"),
    },
    libraries=("torch", "transformers", "numpy", "scikit-learn"),
)
def evaluate(out: Output, section: Evaluate, model: Artifact, encoded: Artifact, splits: Artifact) -> None:
    """Score the saved model once on the test rows, from their raw texts. Raises StageError."""
    from .data.rows import read_rows
    from .learn.report import compare, describe, save, score
    from .text.parts import read_part
    from .text.predictor import Predictor

    predictor = Predictor.load(model.file("config.json").parent)
    part = read_part(encoded.file("test.parquet"))
    test = read_rows(splits.file("test.parquet")).set_index("id").loc[part.ids].reset_index()
    scored = score(predictor, test, part, section, lambda done, of: out.progress(done, of, "scoring"))
    scored.facts["baselines"] = compare(section, scored, read_rows(splits.file("train.parquet")))
    save(scored, out.data, out.records)
    out.counts = {"in": len(test), "out": len(test), "dropped": 0}
    out.summary(describe(scored, section.worst))
