"""A registration and artifacts -> the promotion decision, what the model was made of, and how to make it again."""

import shlex
import time
from collections.abc import Mapping
from typing import Any

from ..artifact import Artifact
from .html_elements import Content, Html, element, section, table
from .markdown_html import from_markdown
from .registration import Registration


def show_decision(registered: Registration | None) -> Html:
    """Verdict, aliases, rows fixed and broken against the champion, and the decisions about the model."""
    if registered is None:
        return section("decision", "Promotion decision", element("p", "It is not registered, so nothing was decided."))
    aliases = ", ".join(f"@{alias}" for alias in registered.aliases) or "none"
    facts: list[list[Content]] = [
        ["verdict", registered.verdict],
        ["aliases", aliases],
        ["models scored on these test rows, this one included", f"{registered.test_evaluations:,}"],
        ["MLflow run", linked(registered.run_id, registered.links.get("run"))],
        ["address", element("code", registered.uri)],
    ]
    log = [
        [element("time", entry.at[:16].replace("T", " ")), entry.version, entry.decided, entry.who, entry.why]
        for entry in registered.decisions
    ]
    decisions = table(["when (UTC)", "version", "decided", "by", "why"], log) if log else Html()
    return section(
        "decision",
        "Promotion decision",
        table(["", ""], facts),
        _changed(registered.changed),
        _export(registered.export),
        element("h3", f"Decisions about {registered.name}"),
        decisions,
    )


def _export(page: str) -> Html:
    """The checks that an export passed before it was registered."""
    return Html(element("h3", "Checks of the export") + from_markdown(page)) if page else Html()


def linked(text: str, address: str | None) -> Html:
    """A link where the address is one of the web, else the text as code."""
    web = address is not None and address.startswith(("http://", "https://"))
    return element("a", text, href=str(address)) if web else element("code", text)


def _changed(changed: Mapping[str, Any] | None) -> Html:
    """Rows that are predicted better and worse than by the champion that it was compared with."""
    if not changed:
        return Html()
    rows = [{"": name, **row} for name, some in changed.get("examples", {}).items() for row in some]
    sentence = f"Against the champion: {changed['fixed']:,} rows fixed, {changed['broken']:,} broken."
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = table(names, [[_plain(row.get(name, "")) for name in names] for row in rows]) if rows else Html()
    return Html(element("p", sentence) + shown)


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def show_lineage(stages: Mapping[str, Artifact]) -> Html:
    """Key, digest and time of each stage, and the versions of the libraries that shaped what it made."""
    lines: list[list[Content]] = []
    versions: dict[str, dict[str, list[str]]] = {}
    for name, artifact in stages.items():
        manifest = artifact.manifest()
        times, identity = manifest["made"], manifest["identity"]
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(times["at"]))
        lines.append(
            [
                name,
                element("code", artifact.key),
                element("code", artifact.digest),
                element("time", when),
                f"{times['seconds']:.1f}",
                str(times.get("threads", "")),
            ]
        )
        for library, version in {"python": identity["python"], **identity["libraries"]}.items():
            versions.setdefault(library, {}).setdefault(version, []).append(name)
    header = ["stage", "key", "digest of the content", "made (UTC)", "seconds", "threads"]
    libraries = [
        [library, version, ", ".join(users)]
        for library, by_version in sorted(versions.items())
        for version, users in by_version.items()
    ]
    return section(
        "lineage",
        "Lineage",
        table(header, lines),
        element("h3", "Libraries"),
        table(["library", "version", "stages whose keys have it"], libraries),
    )


def show_reproduction(recipe_text: str, registered: Registration | None) -> Html:
    """The whole recipe and the commands that lead to this model."""
    commands = ["temper run recipe.yaml", "temper report recipe.yaml"]
    if registered is not None:
        address = f"{registered.name}/{registered.version}"
        commands += [f"temper history {shlex.quote(registered.name)}", f"temper report {shlex.quote(address)}"]
    return section(
        "reproduce",
        "How to reproduce",
        element("p", "Save the recipe below as ", element("code", "recipe.yaml"), ", then call:"),
        element("pre", "\n".join(commands)),
        element(
            "p",
            "Of the same data, code, library versions, machine type and number of threads the same model "
            "comes out, bit by bit; relative paths start in the folder that ",
            element("code", "TEMPER_DATA"),
            " names.",
        ),
        element("pre", recipe_text),
    )
