"""temper report: one page that needs nothing else, of every kind, in which nothing of the data acts."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from browsing import CHROMIUM, chromium
from html_reader import read
from hypothesis import example, given
from registered import register_texts
from registered_recipes import KINDS, write_recipe
from sampled import sampled
from test_escape import LABEL, TEXT, TEXTS

from configs.load import load_recipe
from flows.cli import report
from flows.stage_graph import perform_until
from tasks.artifact import Artifact
from tasks.data.escape import hypertext
from tasks.data.ledger import open_ledger
from tasks.data.rows import write_rows
from tasks.report_page.charts import Mark, _ticks, draw_curves, draw_scores
from tasks.report_page.data_sections import _reasons
from tasks.report_page.decision_sections import show_decision
from tasks.report_page.html_elements import Html, element, escaped, table
from tasks.report_page.markdown_html import from_markdown
from tasks.report_page.mask_section import MOST, window
from tasks.report_page.page import PARTS
from tasks.report_page.registration import Decision, Registration
from tasks.tracking.runs import client
from tasks.tracking.wire_format import EXPORT_GATE, EXPORT_OF, EXPORT_ROUTE

WIDTHS = (944, 512)
"""80 % of the usual window's width, and of a narrow one's."""
WIDER = (
    "[...document.querySelectorAll('table')].filter(one => one.getBoundingClientRect().right > innerWidth + 1).length"
)
"""Tables that reach beyond the right edge."""


@given(TEXTS)
@example(LABEL)
@example(TEXT)
def test_what_is_no_html_is_shown_as_it_is(text: str) -> None:
    reader = read(element("p", text, table([text], [[text, 1]], text), title=text))
    assert reader.tags <= {"p", "div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert escaped(Html("<b>1</b>")) == "<b>1</b>" and escaped(1234) == "1,234"


@given(TEXTS)
@example(f"# t\n\n| a |\n|---|\n| {TEXT} |\n\n![x](http://e.example/a.png) <img src=http://e.example> <b onclick=x>\n")
@example("[a](javascript:alert(1)) <http://e.example> http://e.example\n\n    code\n\n<script>alert(1)</script>")
def test_of_markdown_nothing_acts_whoever_wrote_it(text: str) -> None:
    assert not read(from_markdown(text)).tags & {"a", "img", "script"}


def test_a_stages_page_keeps_its_tables_and_loses_its_title() -> None:
    page = from_markdown("# evaluate: x\n\nFirst.\n\n## More\n\n| a | b |\n|---|---:|\n| **x** | `1` |\n")
    assert page.startswith("<p>First.</p>") and "<h4>More</h4>" in page
    assert '<div class="scroll"><table>' in page and "<strong>x</strong>" in page and page.endswith("</table></div>\n")


def test_charts_hold_every_value_and_their_scales_round_numbers() -> None:
    assert _ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1]) and len(_ticks(-0.013, 0.09)) in range(4, 11)
    chart = draw_scores("accuracy", [Mark("this model", 0.75, (0.7, 0.8)), Mark(LABEL, 0.5)])
    assert chart.count("<circle") == 2 and chart.count('class="whisker"') == 1 and "0.7500" in read(chart).shown
    same = draw_scores("accuracy", [Mark("this model", 1.0, (1.0, 1.0)), Mark("majority", 1.0)])
    assert "nan" not in same and same.count("<circle") == 2
    curves = draw_curves("Loss", {"training loss": [(1, 100.0), (2, float("nan")), (3, 0.1)]}, 3)
    [points] = re.findall(r'points="([^"]+)"', curves)
    assert len(points.split()) == 2 and "kept: step 3" in read(curves).shown
    assert draw_curves("Loss", {"training loss": [(1, float("inf"))]}, 1) == ""


def test_of_a_long_row_the_first_supervised_tokens_are_shown() -> None:
    assert window([-100] * 10) == (0, 10)
    labels = [-100] * 1000 + [1] * 5
    start, stop = window(labels)
    assert stop - start == MOST and start <= 1000 < stop and window([1] * 1000) == (0, MOST)


def test_a_decision_links_to_the_web_alone_and_shows_what_changed() -> None:
    example = {"id": TEXT, "label": LABEL, "challenger": "pos", "champion": 0.25}
    changed = {"fixed": 1200, "broken": 3, "examples": {"fixed": [example], "broken": []}}
    log = (Decision("2026-01-02T03:04:05", "1", "promoted", LABEL, TEXT),)
    for link, linked in (("javascript:alert(1)", False), ("http://127.0.0.1:5000/#/x", True)):
        made = Registration("m", "1", (LABEL,), TEXT, "run", 2, {"run": link}, changed, log)
        reader = read(show_decision(made))
        assert ("href", link) in reader.attributes if linked else "a" not in reader.tags
        assert "1,200 rows fixed, 3 broken" in reader.shown and "2026-01-02 03:04" in reader.shown
    assert "It is not registered" in show_decision(None)


def test_dropped_rows_stand_by_reason_with_a_few_of_each(home: Path) -> None:
    download = Artifact("download", "k", "d")
    (download.path / "data").mkdir(parents=True)
    rows = pd.DataFrame(
        {"id": [f"r{number}" for number in range(9)], "text": [f"{TEXT} {n}" for n in range(8)] + [None]}
    )
    write_rows(rows, download.path / "data" / "rows.parquet")
    ledger = open_ledger(rows["id"]).assign(reason=[LABEL] * 5 + ["missing text"] * 4, stage="clean")
    reader = read(_reasons(download, ledger))
    assert reader.shown.count("<script>alert(1)</script>") == 1 and reader.shown.count("[red]<img src=x") == 6
    assert "5: =cmd()" not in reader.shown and "3: =cmd()" in reader.shown and reader.tags & {"td"}
    assert reader.shown.index("alert") < reader.shown.index("missing text") and "clean5" in reader.shown


def written(capsys: pytest.CaptureFixture[str], *given: Any) -> str:
    """The page that the command wrote where it says."""
    report.command(*given)
    return Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8")


def test_a_recipe_that_was_not_run_is_an_error_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPER_DATA", str(tmp_path / "data"))
    recipe = write_recipe("classifier", tmp_path, 0)
    with pytest.raises(typer.Exit) as ended:
        report.command(str(recipe))
    said = capsys.readouterr().err
    assert ended.value.exit_code == 1 and "download is not cached" in said and f"`temper run {recipe}`" in said
    with pytest.raises(typer.Exit) as ended:
        report.command("a-model", ["train.epochs=2"])
    assert ended.value.exit_code == 2 and "leave train.epochs=2 out" in capsys.readouterr().err
    with pytest.raises(typer.Exit) as ended:
        report.command(str(recipe), None, tmp_path / "x.pdf")
    assert ended.value.exit_code == 2 and "ends in .html" in capsys.readouterr().err


@pytest.mark.faults
@pytest.mark.parametrize("kind", sampled(KINDS, "classifier", "dialogue", "image"))
def test_every_kind_has_its_page(
    kind: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPER_HOME", str(place))
    monkeypatch.setenv("TEMPER_DATA", str(tmp_path / "data"))
    path = write_recipe(kind, tmp_path, 0)
    stages = {name: one.result for name, one in perform_until(load_recipe(path), "evaluate").items()}
    page = written(capsys, str(path), None, tmp_path / "page.html")
    reader = read(page)
    assert {value for name, value in reader.attributes if name == "id"} == set(PARTS)
    facts = json.loads((stages["evaluate"].path / "data" / "report.json").read_text(encoding="utf-8"))
    assert all(f"{facts['scores'][name]:.4f}" in reader.shown for name in facts["shown"])
    supervised, truth = (("class", name) in reader.attributes for name in ("token supervised", "truth"))
    assert supervised or truth or kind == "image"
    assert "60 raw rows = " in reader.shown and stages["train"].digest in reader.shown
    named = stages["encode"].manifest()["section"]["kind"]  # an earlier name of a kind is read as the one of today
    assert f"kind: {named}" in reader.shown and "It is not registered" in reader.shown
    assert ("class", "curve one") in reader.attributes


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("kind", ["dialogue", "image"])
def test_a_browser_shows_it_alone_in_light_dark_and_on_paper(
    kind: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    monkeypatch.setenv("TEMPER_HOME", str(place))
    monkeypatch.setenv("TEMPER_DATA", str(tmp_path / "data"))
    path = write_recipe(kind, tmp_path, 0)
    perform_until(load_recipe(path), "evaluate")
    written(capsys, str(path), None, tmp_path / "page.html")
    with chromium() as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
        page.goto((tmp_path / "page.html").as_uri())
        colours = set()
        for scheme, width in itertools.product(("light", "dark"), WIDTHS):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (scheme, width)
            colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert len(colours) == 2
        shown = "[...document.images].every(one => one.complete && one.naturalWidth > 100)"
        assert page.evaluate(shown) and page.locator("svg").first.bounding_box()["width"] > 300
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.set_viewport_size({"width": 670, "height": 970})  # A4 within its margins
        assert page.evaluate(WIDER) == 0, "the edge of the paper cuts a table"
        folded = page.locator("details > :not(summary)").first
        assert folded.is_visible(), "what is folded on the screen stands open on paper"
        assert page.pdf().startswith(b"%PDF") and not said


def test_the_page_of_an_export_has_the_checks_that_it_passed() -> None:
    page = "# m version 1 as onnx: passes\n\n| check | | seen |\n|---|---|---|\n| shapes | holds | <b>3</b> |\n"
    reader = read(show_decision(Registration("m", "2", ("champion-onnx",), "version 1 as onnx", "run", 0, export=page)))
    assert "Checks of the export" in reader.shown and "shapes" in reader.shown and "<b>3</b>" in reader.shown


@pytest.mark.faults
def test_an_export_without_its_origins_artifacts_names_the_page_that_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    origin = client().get_model_version("exported", register_texts("exported"))
    tags = {EXPORT_OF: str(origin.version), EXPORT_ROUTE: "onnx", EXPORT_GATE: "all checks hold"}
    client().create_model_version("exported", origin.source, origin.run_id, tags=tags)
    with pytest.raises(typer.Exit):
        report.command("exported/2")
    said = capsys.readouterr().err
    assert "exported version 2 is an export of version 1" in said and "`temper report exported/1`" in said


@pytest.mark.faults
def test_a_model_without_its_artifacts_has_the_page_of_its_registration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = client().get_model_version("texts", register_texts("texts"))
    with pytest.raises(typer.Exit):
        report.command("texts/1")
    said = capsys.readouterr().err
    assert "texts version 1: not all of its artifacts are on this machine" in said and "reports/texts-1.html" in said
    client().log_text(version.run_id, f"<p>{hypertext(TEXT)}</p>", "reports/texts-1.html")
    assert written(capsys, "texts/1") == f"<p>{hypertext(TEXT)}</p>"
    with pytest.raises(typer.Exit):
        report.command("nothing")
    assert "there is texts" in capsys.readouterr().err
