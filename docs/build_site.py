"""The documentation's site: README, docs/ and the notebook come in; site/ goes out, or the dead links are listed.

`make site` calls it. Pages are laid into a folder of their own first, in which README is the first page, the notebook a
page, and links to what lies outside docs/ lead to copies below project/; then Zensical builds them, strictly.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PARTS = ("tutorials", "guides", "concepts", "reference", "project")
OUTSIDE = {
    "README.md": "index.md",
    "README.zh-CN.md": "zh.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "LICENSE": "project/licence.txt",
    "tests/BENCHMARKS.md": "project/benchmarks.md",
    "docs/architecture.md": "project/architecture.md",
    "docs/glossary.md": "reference/glossary.md",
    "docs/results.md": "reference/results.md",
}
"""File of the project -> its place in the site, where that is not its place below docs/."""
LINK = re.compile(r"(\]\(|src=\")([^)\"#\s]+)")


def place(file: str) -> str:
    """Where a file of the project, named from its root, lies in the site."""
    return OUTSIDE.get(file, file.removeprefix("docs/").replace(".ipynb", ".md"))


def page(file: str, dead: list[str]) -> str:
    """Text of a page whose links lead to places in the site; links to no file of the site are added to `dead`."""
    text = (ROOT / file).read_text(encoding="utf-8")
    source = notebook(text) if file.endswith(".ipynb") else text

    def moved(match: re.Match[str]) -> str:
        target = match[2]
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        named = os.path.normpath(os.path.join(os.path.dirname(file), target))
        if named not in OUTSIDE and not (named.startswith("docs/") and (ROOT / named).is_file()):
            dead.append(f"{file}: {target}")
        return match[1] + os.path.relpath(place(named), os.path.dirname(place(file)) or ".")

    return LINK.sub(moved, source)


def notebook(text: str) -> str:
    """A notebook's cells as Markdown."""
    cells = json.loads(text)["cells"]
    bodies = [("".join(cell["source"]), cell["cell_type"]) for cell in cells]
    return "\n\n".join(body if kind == "markdown" else f"```python\n{body}\n```" for body, kind in bodies) + "\n"


def lay_out(folder: Path) -> list[str]:
    """Write every page and picture below a folder; the dead links."""
    dead: list[str] = []
    files = [path for path in DOCS.rglob("*") if path.suffix in (".md", ".ipynb", ".png")]
    for file in sorted({path.relative_to(ROOT).as_posix() for path in files} | OUTSIDE.keys()):
        target = folder / place(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            target.write_text(page(file, dead), encoding="utf-8")
        else:
            shutil.copy(ROOT / file, target)
    return dead


def navigation(folder: Path) -> list[dict[str, object]]:
    """The parts with their pages, each under its first heading, in the order of README's and the guides' links."""
    nav: list[dict[str, object]] = [{"Temper": "index.md"}]
    listed = "".join((folder / name).read_text(encoding="utf-8") for name in ("index.md", "guides/index.md"))
    order = [os.path.basename(target) for _, target in LINK.findall(listed)]
    for part in PARTS:
        pages = sorted((folder / part).glob("*.md"), key=lambda path: (path.name != "index.md", order.index(path.name)))
        nav.append({part.capitalize(): [{heading(path): f"{part}/{path.name}"} for path in pages]})
    return nav


def heading(path: Path) -> str:
    """The first heading of a page."""
    return next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# "))[2:]


def configuration(docs: Path, site: Path) -> dict[str, object]:
    """Zensical's configuration, in the form of MkDocs."""
    fences = [{"name": "mermaid", "class": "mermaid", "format": "pymdownx.superfences.fence_code_format"}]
    return {
        "site_name": "Temper",
        "site_description": "One YAML recipe in, one registered model out",
        "docs_dir": docs.name,
        "site_dir": site.name,
        "nav": navigation(docs),
        "theme": {"name": "material", "font": False, "features": ["navigation.sections", "content.code.copy"]},
        "markdown_extensions": ["tables", "attr_list", {"pymdownx.superfences": {"custom_fences": fences}}],
    }


def compiled(folder: Path) -> bool:
    """Let Zensical turn folder/docs into folder/site; whether it does without a warning, such as a dead link."""
    (folder / "mkdocs.yml").write_text(json.dumps(configuration(folder / "docs", folder / "site")))
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        strict = "Aborted because --strict" in done.stdout
        print(done.stdout.split("Traceback")[0].rstrip() if strict else done.stdout)
    return done.returncode == 0


def build(site: Path) -> int:
    """Write the site; the exit code: 1 where a link is dead."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        dead = lay_out(folder / "docs")
        for link in dead:
            print(f"dead link: {link}")
        if not compiled(folder) or dead:
            return 1
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(folder / "site", site)
    print(f"{len(list(site.rglob('*.html')))} pages in {site}")
    return 0


if __name__ == "__main__":
    sys.exit(build(ROOT / "site"))
