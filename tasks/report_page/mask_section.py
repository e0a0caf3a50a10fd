"""Encoded training rows -> tokens with their labels, as the training has them."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..artifact import Artifact
from ..kinds.spec import kind_in, open_kind, open_view
from ..learn.labels import IGNORE_INDEX
from .html_elements import Html, element, join, section, table
from .markdown_html import from_markdown

if TYPE_CHECKING:
    from ..text.token_view import TokenView

ROWS = 3
MOST, BEFORE = 160, 30
"""Tokens shown of a row, and how many of them before the first supervised one where the row has more."""


def show_masks(encoded: Artifact) -> Html:
    """Samples and the mask certificate; of a kind without tokens what `encode` states of its rows."""
    folder = encoded.path / "data"
    if not open_kind(kind_in(folder)).tokens:
        page = (encoded.records / "summary.md").read_text(encoding="utf-8")
        return section(
            "masks",
            "Encoded rows",
            element("p", "Its rows are no tokens, so that they have no mask."),
            from_markdown(page),
        )
    from ..text.parts import read_part

    view, part = open_view(folder), read_part(folder / "train.parquet")
    rows = [
        _show_row(part.ids[row], view(part, row), int(part.encoded.cut[row])) for row in range(min(ROWS, len(part)))
    ]
    legend = element(
        "p",
        "Below each token stands its label: ",
        element("code", str(IGNORE_INDEX)),
        " where it carries no loss; ",
        "supervised tokens, which alone are trained, are marked. The class or number that a head is to predict stands "
        "behind the arrow.",
    )
    certificates = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    return section("masks", "Mask samples", legend, *rows, _certificate(certificates))


def _show_row(row: str, view: "TokenView", cut: int) -> Html:
    start, stop = window(view.labels)
    tokens = [
        _token(piece, label) for piece, label in zip(view.pieces[start:stop], view.labels[start:stop], strict=True)
    ]
    before = [element("span", f"… {start:,} tokens before", class_="rest")] if start else []
    after = (
        [element("span", f"… {len(view.labels) - stop:,} more tokens", class_="rest")]
        if stop < len(view.labels)
        else []
    )
    truth = [element("span", f"→ {view.truth}", class_="truth")] if view.truth else []
    facts = f"training row {row}, {len(view.ids):,} tokens{f', {cut:,} cut off' if cut else ''}"
    return join(
        [element("p", facts, class_="remark"), element("div", *before, *tokens, *after, *truth, class_="tokens")]
    )


def window(labels: Sequence[int]) -> tuple[int, int]:
    """Which tokens of a row are shown: all, or of many those around the first that is supervised."""
    if len(labels) <= MOST:
        return 0, len(labels)
    first = next((at for at, label in enumerate(labels) if label != IGNORE_INDEX), 0)
    start = max(0, min(first - BEFORE, len(labels) - MOST))
    return start, start + MOST


def _token(piece: str, label: int) -> Html:
    shown = piece.replace(" ", "·").replace("\n", "⏎").replace("\t", "⇥") or "∅"
    name = "token" if label == IGNORE_INDEX else "token supervised"
    return element("span", element("b", shown), element("small", str(label)), class_=name)


def _certificate(certificates: dict[str, dict[str, object]]) -> Html:
    """Per part: rows, tokens, supervised ones, and whether the independent second derivation agrees."""
    lines = []
    for part, facts in certificates.items():
        broken = [name for name, count in dict(facts["violations"]).items() if count]  # type: ignore[call-overload]
        verdict = "holds" if facts["holds"] else f"is broken: {', '.join(broken)}"
        lines.append([part, *(facts[name] for name in ("rows", "tokens", "supervised", "cut_rows")), verdict])
    header = ["part", "rows", "tokens", "supervised", "rows cut", "mask certificate"]
    return table(header, lines)  # type: ignore[arg-type]
