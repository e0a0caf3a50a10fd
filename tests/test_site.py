"""The documentation's site: each link of a page leads to a place in it, and one that leads nowhere stops the build."""

import sys
from pathlib import Path

import pytest
from tiny import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import build_site


def test_every_page_of_the_documentation_is_laid_out_without_a_dead_link(tmp_path: Path) -> None:
    assert build_site.lay_out(tmp_path) == []
    for part in build_site.PARTS:
        assert len(list((tmp_path / part).glob("*.md"))) >= 3
    assert "](guides/index.md)" in (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "](../project/benchmarks.md)" in (tmp_path / "concepts" / "ledger.md").read_text(encoding="utf-8")
    assert "```python\nfrom flows.notebook" in (tmp_path / "tutorials" / "first_run.md").read_text(encoding="utf-8")
    names = [next(iter(part)) for part in build_site.navigation(tmp_path)]
    assert names == ["Temper", "Tutorials", "Guides", "Concepts", "Reference", "Project"]


def test_a_link_to_no_file_of_the_site_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(
        "[a](b.md#x) [b](../tests/conftest.py) [c](https://example.org/b.md) [d](a.md)"
    )
    monkeypatch.setattr(build_site, "ROOT", tmp_path)
    dead: list[str] = []
    assert (
        build_site.page("docs/a.md", dead)
        == "[a](b.md#x) [b](tests/conftest.py) [c](https://example.org/b.md) [d](a.md)"
    )
    assert dead == ["docs/a.md: b.md", "docs/a.md: ../tests/conftest.py"]


@pytest.mark.faults
def test_a_heading_that_is_not_there_stops_the_build(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("zensical", reason="zensical is not installed (make site)")
    for part in build_site.PARTS:
        (tmp_path / "docs" / part).mkdir(parents=True)
        (tmp_path / "docs" / part / "a.md").write_text("# A\n\n## Here\n")
    (tmp_path / "docs" / "guides" / "index.md").write_text("# All\n\n[a](a.md)\n")
    page = tmp_path / "docs" / "index.md"
    page.write_text("# Start\n\n[all](guides/index.md) [here](guides/a.md#here)\n")
    assert build_site.compiled(tmp_path) and (tmp_path / "site" / "guides" / "a" / "index.html").is_file()
    page.write_text("# Start\n\n[all](guides/index.md) [there](guides/a.md#there)\n")
    assert not build_site.compiled(tmp_path)
    assert "anchor does not exist" in capfd.readouterr().out and "Traceback" not in capfd.readouterr().out
