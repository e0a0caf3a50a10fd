"""temper mask: what a recipe trains on, token by token, the supervised ones in colour."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.kinds.spec import kind_in, open_kind, open_view
from tasks.store.events import listeners

from ..stage_graph import perform_until
from .arguments import Overrides, RecipeFile
from .console import Console
from .failures import failures
from .progress import ProgressDisplay
from .token_colours import colour_pieces

if TYPE_CHECKING:
    from tasks.artifact import Artifact


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    rows: Annotated[int, typer.Option("-n", "--rows", min=1, help="How many training rows.")] = 5,
) -> None:
    """Show training rows as decoded tokens: supervised ones (they carry loss) on green, given ones dim.

    Runs the stages up to `encode` where they are not cached, and nothing behind. For an encoder with a class head
    the label is the class id behind the arrow, or a number; of a masked row the truth stands behind each hidden token.
    """
    from configs.load import RecipeError, load_recipe

    with failures():
        loaded = load_recipe(recipe, overrides or [])
        if not open_kind(loaded.encode.kind).tokens:
            raise RecipeError(
                f"{recipe} encodes no tokens, and other rows have no mask; `temper trace` shows a row's way"
            )

        with ProgressDisplay("reading") as display, listeners(display.show):
            encoded = perform_until(loaded, "encode")["encode"].result
        _show(encoded, rows)


def _show(encoded: "Artifact", rows: int) -> None:
    from tasks.text.parts import read_part

    console = Console()
    folder = encoded.file("encoding.json").parent
    view, by_turn = open_view(folder), open_kind(kind_in(folder)).chats
    part = read_part(encoded.file("train.parquet"))
    for row in range(min(rows, len(part))):
        shown = view(part, row)
        line = colour_pieces(shown.pieces, shown.labels, width=console.width, by_turn=by_turn)
        if shown.truth:
            line.append(f"\n→ {shown.truth}", "bold")
        cut = int(part.encoded.cut[row])
        console.print(f"{part.ids[row]}  {len(shown.ids)} tokens{f', {cut} cut' if cut else ''}", style="quiet")
        console.print(line, soft_wrap=True)
        console.print()
    certificate = json.loads(encoded.file("certificate.json").read_text(encoding="utf-8"))["train"]
    checks = f" ({len(certificate['violations'])} checks)" if certificate["violations"] else ""
    if certificate["supervised"]:
        loss = f"{certificate['supervised']:,} of {certificate['tokens']:,} tokens are supervised"
    else:
        loss = f"{certificate['tokens']:,} tokens, none of which carries loss: a head predicts what stands behind →"
    console.prose(
        f"{certificate['rows']:,} training {'sequences' if by_turn else 'rows'}, {certificate['cut_rows']:,} of them "
        f"cut; {loss}; the mask certificate {'holds' if certificate['holds'] else 'is BROKEN'}{checks}"
    )
