"""pseudo_labels: an auxiliary artifact that `download` opens, texts without a label that registered models labelled.

No stage of the flow: `temper label` makes it, and a recipe names it by its digest (`download.extra`). Its rows are
added for training alone, so none that nearly copies a held-out row is in it, whatever a model predicts of it.
"""

import json
from typing import TYPE_CHECKING

from configs.pseudo_labels import PseudoLabels

from .artifact import Artifact
from .cached import cached_task
from .data.escape import markdown
from .output import Output

if TYPE_CHECKING:
    import pandas as pd

    from .kinds.pseudo_labelling import Labelled

LIBRARIES = ("torch", "transformers", "safetensors", "numpy", "tokenizers", "pandas", "pyarrow", "rensa", "scipy")
REPORT, ACCOUNT = "report.json", "account.parquet"
"""Files of the artifact: the counts, and of each row of the file its label, confidence and why it was left out."""


@cached_task(
    makes="pseudo_labels",
    opens={"splits": ("train.parquet", "validation.parquet", "test.parquet")},
    libraries=LIBRARIES,
    kind=("predictor",),
)
def pseudo_labels(out: Output, section: PseudoLabels, splits: Artifact) -> None:
    """Label the rows; what a killed run computed is not computed again. Raises DataError."""
    from .data.rows import write_rows
    from .data.sources.added_artifacts import FITTED, ROWS
    from .data.sources.provenance import Intake
    from .data.sources.read import read_source
    from .kinds.pseudo_labelling import Asking, label_rows
    from .tracking.models import model_folder

    intake = Intake(out.scratch, secret=out.secret, progress=out.progress)
    rows = read_source(section.source, intake).drop(columns="split")
    folders = [model_folder(model.name, model.version) for model in section.teachers]
    place = splits.file("train.parquet").parent
    given, account, counts = label_rows(rows, Asking(section, folders, place, out.scratch, out.progress))
    write_rows(given, out.data / ROWS)
    _fitted(section).to_parquet(out.data / FITTED, index=False)
    account.to_parquet(out.data / ACCOUNT, index=False)
    (out.data / REPORT).write_text(json.dumps(counts, ensure_ascii=False, indent=1), encoding="utf-8")
    out.counts = {"in": counts["rows"], "out": counts["taken"], "dropped": counts["rows"] - counts["taken"]}
    out.summary(page(section, counts))


def _fitted(section: PseudoLabels) -> "pd.DataFrame":
    """Which rows each teacher was trained or chosen on, so that every run of a recipe that adds these can be checked:
    columns teacher, part, id."""
    import pandas as pd

    from .tracking import runs
    from .tracking.evidence import fitted_ids

    client, columns = runs.client(), ("teacher", "part", "id")
    tables = [pd.DataFrame(columns=columns, dtype="str")]
    for model in section.teachers:
        named = f"{model.name} version {model.version}"
        for part, ids in (fitted_ids(client, model.name, model.version) or {}).items():
            tables.append(pd.DataFrame({"teacher": named, "part": part, "id": sorted(ids)}, dtype="str"))
    return pd.concat(tables, ignore_index=True)


def page(section: PseudoLabels, counts: "Labelled") -> str:
    """What a person reads of it."""
    named = ", ".join(f"{model.name} version {model.version}" for model in section.teachers)
    lines = [f"# {counts['taken']:,} of {counts['rows']:,} rows labelled by {named}", ""]
    lines += ["| label | least confidence | rows | precision [95 %] |", "|---|---:|---:|---:|"]
    for label, count in counts["labels"].items():
        known = count["precision"]
        right = f"{known['share']:.3f} [{known['low']:.3f}, {known['high']:.3f}] of {known['known']:,}" if known else ""
        lines.append(f"| {markdown(label)} | {section.least(label):g} | {count['taken']:,} | {right} |")
    lines += ["", "| left out because | rows |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {name} | {count:,} |" for name, count in counts["left_out"].items())])
