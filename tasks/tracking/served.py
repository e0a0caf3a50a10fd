"""The registered model as MLflow loads it (models from code): texts, images or a dialogue in, its predictions out.

This file travels with the model and finds everything else in the package that travels with it.
"""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE


class ServedModel(mlflow.pyfunc.PythonModel):
    """Takes a text, a list of texts, or a DataFrame with a `text` column; pairs of texts, as objects with `text` and
    `text_pair` or a DataFrame with these columns; images, as bytes, base64 or paths, in a list
    or in a column `image`; or a dialogue, as {"messages": [...]}."""

    def load_context(self, context: Any) -> None:
        """Load the model folder with the code that was logged next to it."""
        package = context.model_config["package"]
        predictor = importlib.import_module(f"{package}.{context.model_config['predictor']}")
        self.predictor = predictor.Predictor.load(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """A DataFrame: label, probability, `probability of X`; of a dialogue a completion as OpenAI's interface has it.
        What cannot be predicted raises an MlflowException that MLflow's server turns into status 400 and the reason.

        The hint is one that MLflow makes nothing of: without any it warns, of others it would make the signature.
        """
        try:
            if self.predictor.content == "messages":
                return self.predictor.complete(model_input)
            if len(columns := getattr(self.predictor, "columns", ())) > 1:
                return self.predictor.frame(_records(model_input, columns))
            return self.predictor.frame(_contents(model_input, self.predictor.content))
        except ValueError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from None


def _records(model_input: Any, columns: Sequence[str]) -> list[Any]:
    """An object per row with what stands in these columns."""
    table = model_input
    if not isinstance(table, pd.DataFrame):
        given = [table] if isinstance(table, Mapping) else table
        if isinstance(given, str | bytes) or not all(isinstance(row, Mapping) for row in given):
            raise ValueError(f"each row needs {' and '.join(f'`{name}`' for name in columns)}, as an object or a table")
        table = pd.DataFrame(list(given), columns=list(columns), dtype=object)
    if lacking := [name for name in columns if name not in table]:
        raise ValueError(
            f"the table needs the columns {', '.join(columns)}, and has no {lacking[0]!r} among {list(table.columns)}"
        )
    return list(table[list(columns)].to_dict("records"))


def _contents(model_input: Any, content: str) -> list[Any]:
    if isinstance(model_input, str | bytes):
        return [model_input]
    if isinstance(model_input, pd.DataFrame):
        named = [column for column in model_input.columns if isinstance(column, str)]
        if content in model_input.columns:
            return list(model_input[content])
        if named or model_input.shape[1] != 1:
            raise ValueError(
                f"the table needs a column `{content}`, before any other, and has {list(model_input.columns)}"
            )
        return list(model_input.iloc[:, 0])
    return list(model_input)


mlflow.models.set_model(ServedModel())
