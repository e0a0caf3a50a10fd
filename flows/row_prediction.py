"""What a model states about one row: from the report for a test row, else from the trained model itself."""

from typing import TYPE_CHECKING, cast

from .plan import plan
from .raw_row import IMAGES, Row, plain

if TYPE_CHECKING:
    from configs.schema import Recipe

    from .trace_document import Answer


def answer(recipe: "Recipe", row: Row, texts: dict[str, str]) -> "Answer":
    """From the report for a test row, else from the trained model; empty where it is not trained. texts: the row's as
    they were cleaned, by column."""
    import pandas as pd
    import pyarrow.parquet as pq

    from tasks.kinds.spec import open_kind, open_reporter

    cached = plan(recipe, ask=False)[2]
    kind = open_kind(recipe.encode.kind)
    if "evaluate" in cached:
        predictions = pq.read_table(cached["evaluate"].file("predictions.parquet")).to_pandas()
        mine = predictions[predictions["id"] == row.id]
        if kind.chats and kind.traits.generates:
            source = "from the report on the test rows" if len(mine) else "predictions are kept of test rows alone"
            return {"written": mine["written"].tolist(), "from": source}
        if len(mine) and not kind.traits.classes:
            columns = {str(name): plain(value) for name, value in mine.iloc[0].items() if name != "id"}
            return {"told": columns, "from": "the report on the test rows"}
        if len(mine):
            p = float(max(mine["probabilities"].iloc[0]))
            return {"predicted": str(mine["predicted"].iloc[0]), "p": p, "from": "the report on the test rows"}
    if "train" not in cached or kind.chats:
        return {}
    if kind.masks:
        return {"told": {}, "from": "the trained model, which predicts for texts with a [MASK]: see `temper predict`"}
    folder = cached["train"].file("config.json").parent
    here = pd.DataFrame([{**texts, "image": row.raw.get("image")}])
    predicted = open_reporter(recipe.encode.kind).predict_row(folder, here, cached["clean"].file(IMAGES))
    if not kind.traits.classes:
        return {"told": predicted, "from": "the trained model"}
    likeliest, p = str(predicted["predicted"]), cast(float, predicted["p"])
    return {"predicted": likeliest, "p": p, "from": "the trained model"}
