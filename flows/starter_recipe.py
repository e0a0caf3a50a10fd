"""A table, images, an address or a data set comes in; what a starter recipe follows from goes out."""

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tasks.data.errors import DataError

if TYPE_CHECKING:
    from tasks.autodetect.located import Hints
    from tasks.autodetect.proposal import Proposal, StarterRecipe, Undescribed


def write_starter(
    data: str,
    output: Path,
    kind: str | None,
    hints: "Hints | None" = None,
) -> list[tuple[str, str]]:
    """Inspect the data and write the recipe; what was seen and noted, a name and words each.

    Raises RecipeError, also where the file exists.
    """
    from pydantic import ValidationError

    from configs.load import RecipeError
    from configs.recipe_schema import modeline
    from configs.secrets import masked

    if output.exists():
        raise RecipeError(f"{output} exists and stays as it is; name another file with --output")
    try:
        starter, notes = prepare(data, output, kind, hints)
        written = f"{modeline(output)}\n{starter.text()}"
    except ValidationError as error:
        raise RecipeError(f"{masked(data)}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    except (DataError, ValueError) as error:
        raise RecipeError(str(error)) from None
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("x", encoding="utf-8") as handle:
        handle.write(written)
    return [*starter.seen().items(), *(("note", note) for note in notes)]


def prepare(
    data: str | Path,
    output: Path,
    kind: str | None,
    hints: "Hints | None" = None,
) -> tuple["StarterRecipe", list[str]]:
    """Inspect the data; returns what the recipe follows from, and what had to be guessed to read it.

    Raises DataError.
    """
    from configs.settings import settings
    from tasks.autodetect.locate import find
    from tasks.autodetect.located import Hints
    from tasks.autodetect.proposal import Undescribed
    from tasks.data.sources.provenance import Intake, recipe_path
    from tasks.output import environment_secret

    hints = hints or Hints()
    place = Path(data) if Path(data).exists() else settings().source(str(data))
    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(Path(folder), Path(folder) / "images.parquet", environment_secret)
        located = find(str(data), place, intake, hints)
        local = getattr(located.source, "path", None)
        path = recipe_path(Path(local)) if isinstance(local, str) else located.called
        starter, notes = choose(
            Undescribed(str(data), located, slug(output.stem), output, path, kind, hints.text, hints.label)
        )
    return starter, [*located.notes, *notes]


def choose(data: "Undescribed") -> tuple["StarterRecipe", list[str]]:
    """The starter recipe of the kind that fits the data best and can be trained on them, and what the other kinds
    say next to it. Raises DataError, with what they say instead."""
    proposals = _proposals(data)
    failed = DataError(f"{data.data}: no kind of task is for these data")
    for proposal in sorted((proposal for proposal in proposals if proposal.sure), key=lambda proposal: -proposal.sure):
        try:
            draft = proposal.draft()
        except DataError as error:
            failed = error
            continue
        columns, others = draft.columns, [other for other in proposals if other is not proposal]
        return draft.starter, [note for other in others if columns for note in other.notes(columns)]
    raise DataError(f"{failed}{''.join(proposal.fix() for proposal in proposals)}")


def _proposals(data: "Undescribed") -> "list[Proposal]":
    """What each kind makes of the data; that of one that is certain alone."""
    from configs.kinds import kinds, traits_of
    from tasks.autodetect.proposal import CERTAIN
    from tasks.kinds.spec import open_detector

    proposals = []
    for kind in {traits_of(kind).folder: kind for kind in kinds()}.values():
        proposal = open_detector(kind).detect(data)
        if proposal is not None and proposal.sure == CERTAIN:
            return [proposal]
        proposals += [proposal] if proposal else []
    return proposals


def stem(data: str) -> str:
    """What of a file's, address's or data set's name a recipe is called after."""
    if data.startswith(("hub:", "torchvision:")):
        return data.split(":")[1].rpartition("/")[2]
    name = Path(urlsplit(data).path if "://" in data else data).name
    return Path(name).stem.removesuffix(".tar").partition(".csv")[0] or name


def slug(name: str) -> str:
    """A recipe's name from a file's."""
    from configs.names import DEVICES, LONGEST

    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:LONGEST].strip("_") or "recipe"
    return f"{plain}_data" if DEVICES.fullmatch(plain) else plain
