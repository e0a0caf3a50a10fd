"""What a model says of one row: from the report for a test row, else from the trained model itself."""

from typing import TYPE_CHECKING, Any

from .plan import plan
from .raw_row import IMAGES, Row, plain

if TYPE_CHECKING:
    from configs.schema import Recipe


def answer(recipe: "Recipe", row: Row, text: str | None) -> dict[str, Any]:
    """From the report for a test row, else from the trained model; empty where it is not trained."""
    import pandas as pd
    import pyarrow.parquet as pq

    from configs.encodings import CLASSES

    cached = plan(recipe, ask=False)[2]
    if "evaluate" in cached:
        answers = pq.read_table(cached["evaluate"].file("predictions.parquet")).to_pandas()
        mine = answers[answers["id"] == row.id]
        if recipe.encode.kind == "dialogue":
            told = "from the report on the test rows" if len(mine) else "answers are kept of test rows alone"
            return {"written": mine["written"].tolist(), "from": told}
        if len(mine) and recipe.encode.kind not in CLASSES:
            columns = {str(name): plain(value) for name, value in mine.iloc[0].items() if name != "id"}
            return {"told": columns, "from": "the report on the test rows"}
        if len(mine):
            return {"predicted": str(mine["predicted"].iloc[0]), "p": float(max(mine["probabilities"].iloc[0])),
                    "from": "the report on the test rows"}  # fmt: skip
    if "train" not in cached or recipe.encode.kind == "dialogue":
        return {}
    from tasks.kinds.score import answer_text, score_row

    folder = cached["train"].file("config.json").parent
    if recipe.encode.kind == "masked":
        return {"told": {}, "from": "the trained model, which answers to texts with a gap: see `temper predict`"}
    if recipe.encode.kind not in CLASSES:
        return {"told": answer_text(folder, recipe.encode.kind, str(text)), "from": "the trained model"}
    here = pd.DataFrame([{"text": text, "image": row.raw.get("image")}])
    domain, _, found = score_row(folder, here, cached["clean"].file(IMAGES))
    return {"predicted": domain.labels[found.argmax()], "p": float(found.max()), "from": "the trained model"}
