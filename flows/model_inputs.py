"""What `predict` asks and whom: rows of a file or images of a folder, and a registered model that takes them."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli.reading_options import mends_as_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.inference.batch import Model
    from tasks.inference.inputs import Questions
    from tasks.tracking.named import Named


def open_questions(path: Path, column: str | None, reading: dict[str, Any] | None = None) -> "Questions":
    """The texts of a file, read by the fields of a recipe's source that `reading` holds, or the images of a folder.

    `column`: None for `text`, or of a file without it for a usual name of dialogues.
    """
    from tasks.inference.inputs import open_folder, open_table

    with mends_as_options():
        return open_folder(path) if path.is_dir() else open_table(path, column, reading)


def open_model(name: str, content: str) -> "tuple[Named, Model]":
    """The version that a name means now, loaded to be asked for texts or images."""
    with _loading(name) as named:
        from tasks.tracking.models import load_model

        loaded = load_model(named.uri, content)
    return named, _pyfunc_model(loaded, named)


def open_asked(name: str, questions: "Questions", column: str | None) -> "tuple[Named, Model, Questions]":
    """The version that a name means now, and the questions as it takes them: a table's rows as texts or dialogues."""
    from tasks.inference.inputs import Texts

    if not isinstance(questions, Texts):
        return *open_model(name, questions.content), questions
    with _loading(name) as named:
        from tasks.tracking.models import content_of, load_model, predictor_of

        loaded = load_model(named.uri, questions.content, "messages")
    if content_of(loaded) != "messages":
        return named, _pyfunc_model(loaded, named), questions
    from tasks.inference.dialogue_inputs import open_dialogues
    from tasks.inference.replies import reply_model

    with mends_as_options():
        dialogues = open_dialogues(questions, column)
    return named, reply_model(predictor_of(loaded, name), named.identity()), dialogues


def _pyfunc_model(loaded: Any, named: "Named") -> "Model":
    from tasks.inference.batch import Model
    from tasks.tracking.models import answer
    from tasks.tracking.named import answers_of

    return Model(lambda given: answer(loaded, given), answers_of(loaded), named.identity())


@contextmanager
def _loading(name: str) -> "Iterator[Named]":
    from .cli.console import Console

    with Console(stderr=True).status(f"loading {name}"):
        from .services.stores import require

        require("MLflow")
        from tasks.tracking.named import find_named

        yield find_named(name)
