"""evaluate: a trained model and the raw test rows come in; a report that a person can judge goes out."""

from configs.schema import Evaluate

from .artifact import Artifact
from .cached import cached_task
from .store.output import Output


@cached_task(
    opens={
        "model": ("*",),
        "encoded": ("train.*", "test.*"),
        "splits": ("train.parquet", "test.parquet", "images.parquet"),
    },
    libraries=("torch", "transformers", "numpy", "scikit-learn"),
)
def evaluate(out: Output, section: Evaluate, model: Artifact, encoded: Artifact, splits: Artifact) -> None:
    """Score the saved model once on the test rows, from their raw contents. Raises StageError."""
    from .data.rows import read_rows
    from .learn.domains import open_domain
    from .learn.report import compare, describe, save, score
    from .learn.scoring import contents_of

    folder = model.file("config.json").parent
    domain = open_domain(folder)
    parts = {name: domain.read(encoded.file(f"{name}.parquet")) for name in ("train", "test")}
    test = read_rows(splits.file("test.parquet")).set_index("id").loc[parts["test"].ids].reset_index()
    contents = contents_of(domain, test, splits.file("images.parquet"))
    scored = score(
        domain, folder, test, contents, parts["test"], section, lambda done, of: out.progress(done, of, "scoring")
    )
    scored.facts["baselines"] = compare(section, scored, read_rows(splits.file("train.parquet")), parts)
    save(scored, section, out.data, out.records)
    out.counts = {"in": len(test), "out": len(test), "dropped": 0}
    out.summary(describe(scored, section.worst))
