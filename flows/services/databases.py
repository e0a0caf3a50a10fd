"""Databases of Prefect and MLflow as they lie on disk: are they what the installed packages can use?"""

import importlib.util
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MIGRATIONS = {"Prefect": "server/database/_migrations/versions/{}", "MLflow": "store/db_migrations/versions"}
State = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """One line: what was inspected, how it is, in which detail, how to fix it."""

    what: str
    state: State
    detail: str
    fix: str = ""


def database(owner: str, file: Path) -> Finding:
    """Whether an SQLite file has the revision of the installed package, found without loading that."""
    import sqlite3

    what, anew = f"{owner}'s database", f"mv {file} {file}.damaged, then temper doctor --init"
    if not file.exists() or file.stat().st_size == 0:
        return Finding(what, "note", f"{file} is not there yet", "temper doctor --init makes it, or else the first run")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            has = {str(row[0]) for row in connection.execute("select version_num from alembic_version")}
    except sqlite3.DatabaseError as error:
        return Finding(what, "broken", f"{file}: {error}", anew)
    known, newest = revisions(owner)
    if has == newest:
        return Finding(what, "ok", f"{file} is ready")
    if has and has <= known:
        fix = "" if owner == "Prefect" else f"mlflow db upgrade sqlite:///{file}"
        return Finding(what, "broken" if fix else "note", f"{file} is older than the package", fix)
    return Finding(what, "broken", f"{file} {'was made by a newer package' if has else 'is half made'}", anew)


def revisions(owner: str, backend: str = "sqlite") -> tuple[set[str], set[str]]:
    """All revisions of a package's database, and those that no other one follows. `backend`: sqlite or postgresql."""
    spec = importlib.util.find_spec(owner.lower())
    folder = Path(str(spec and spec.origin)).parent / MIGRATIONS[owner].format(backend)
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    known = {name for text in texts for name in re.findall(r"^revision\b[^=]*= *[\"'](\w+)", text, re.M)}
    before = [line for text in texts for line in re.findall(r"^down_revision\b[^=]*=(.*)", text, re.M)]
    return known, known - set(re.findall(r"\w+", " ".join(before)))
