"""What is predicted, and by which model: rows of a file or images of a folder, and a registered model that takes them.

Libraries are imported where they are used: a text needs no pandas, and a wrong argument no mlflow.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.environment import loading

from .services.stores import require

if TYPE_CHECKING:
    from tasks.inference.batch import Model
    from tasks.inference.inputs import Questions
    from tasks.tracking.named import Named


def open_questions(path: Path, column: str | None, reading: Mapping[str, object] | None = None) -> "Questions":
    """The texts of a file, read by the fields of a recipe's source that `reading` holds, or the images of a folder, of
    an archive or of arrays of pixels.

    `column`: None for `text`, or of a file without it for a usual name of dialogues.
    """
    from tasks.inference.archive_inputs import holds_images, open_archive
    from tasks.inference.inputs import open_folder, open_table
    from tasks.inference.pixel_inputs import holds_pictures, open_pictures

    if holds_pictures(path):
        return open_pictures(path)
    if not reading and holds_images(path):
        return open_archive(path)
    return open_folder(path) if path.is_dir() else open_table(path, column, reading)


@loading()
def open_model(name: str, content: str) -> "tuple[Named, Model]":
    """The version that a name means now, loaded to predict for texts or images."""
    named = _find(name)
    from tasks.tracking.models import load_model

    return named, _pyfunc_model(load_model(named.uri, content), named)


@loading()
def open_model_for(
    name: str, questions: "Questions", column: str | None, pair: str | None = None
) -> "tuple[Named, Model, Questions]":
    """The version that a name means now, and the rows as it takes them: a table's rows as texts, pairs of texts or
    dialogues. pair: the column of second texts, None for `text_pair`."""
    from tasks.inference.inputs import Texts, with_second, with_texts

    if not isinstance(questions, Texts):
        _refuse_pair(pair, f"it takes {questions.content}s")
        return *open_model(name, questions.content), questions
    named = _find(name)
    from tasks.tracking.models import content_of, load_model, predictor_of, takes_pairs
    from tasks.tracking.named import trained_columns

    loaded = load_model(named.uri, questions.content, "messages")
    if content_of(loaded) != "messages":
        if column is None and questions.column != "text":
            questions = with_texts(questions, trained_columns(named))
        if takes_pairs(loaded):
            return named, _pyfunc_model(loaded, named), with_second(questions, pair, lambda: trained_columns(named))
        _refuse_pair(pair, f"{named} takes one text")
        return named, _pyfunc_model(loaded, named), questions
    _refuse_pair(pair, f"{named} takes dialogues")
    from tasks.inference.dialogue_inputs import open_dialogues
    from tasks.inference.reply_model import reply_model

    dialogues = open_dialogues(questions, column)
    return named, reply_model(predictor_of(loaded, name), named.identity()), dialogues


def one_content(loaded: "Model", text: str, pair: str | None, name: str) -> Any:
    """A text, or with a second one a pair, as a loaded model takes it. Raises RecipeError where it takes the other."""
    from configs.load import RecipeError

    if not loaded.pairs:
        _refuse_pair(pair, f"{name} takes one text")
        return [text]
    if pair is None:
        raise RecipeError(f"{name} takes pairs of texts; give the second one with --pair")
    import pandas as pd

    return pd.DataFrame([{"text": text, "text_pair": pair}])


def _refuse_pair(pair: str | None, why: str) -> None:
    from configs.load import RecipeError

    if pair is not None:
        raise RecipeError(f"--pair goes with a model that takes pairs of texts; {why}")


def _find(name: str) -> "Named":
    """What a name means in the registry, whose store is asked first whether it is there at all."""
    require("MLflow")
    from tasks.tracking.named import find_named

    return find_named(name)


def _pyfunc_model(loaded: Any, named: "Named") -> "Model":
    from tasks.inference.batch import Model
    from tasks.tracking.models import answer, takes_pairs
    from tasks.tracking.named import answers_of

    return Model(lambda given: answer(loaded, given), answers_of(loaded), named.identity(), takes_pairs(loaded))


def open_rows(what: str, column: str | None, reading: Mapping[str, object]) -> "Questions | None":
    """The rows of a file or folder; None for a text or an image."""
    from configs.load import RecipeError
    from tasks.data.sources.archives import is_archive
    from tasks.data.sources.tables import ENDINGS

    path = Path(what)
    if not what.strip():
        raise RecipeError("the text is empty; give a text or a file")
    is_short = len(what) < 256
    looks_like_file = (path.suffix.lower() in ENDINGS or is_archive(path.name)) and " " not in what
    if is_image(what) and not (is_short and path.is_dir()):
        return None
    if not (looks_like_file or (is_short and path.exists())):
        return None
    return open_questions(path, column, reading)


def is_image(what: str) -> bool:
    """Whether one image is named: by its ending, or a file that the prediction of a folder would read as one."""
    from tasks.data.sources.folders import IMAGE_ENDINGS, is_left_out
    from tasks.data.sources.tables import ENDINGS

    path = Path(what)
    if len(what) >= 256 or path.suffix.lower() in IMAGE_ENDINGS:
        return path.suffix.lower() in IMAGE_ENDINGS
    known = path.suffix.lower() in ENDINGS or is_left_out(path.name)
    return path.is_file() and not known and _begins_like_an_image(path)


def _begins_like_an_image(path: Path) -> bool:
    from tasks.data.sources.folders import MAGIC

    with path.open("rb") as handle:
        return handle.read(16).startswith(MAGIC)
