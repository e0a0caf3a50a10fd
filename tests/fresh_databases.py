"""Databases of tests as copies of the first one: the migrations of MLflow and of Prefect take seconds, each time.

The first database of a process of tests is made by the tools themselves; the later ones are copies of its empty tables.
"""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

FOLDER = tempfile.TemporaryDirectory(prefix="databases")
MLFLOW, PREFECT = Path(FOLDER.name) / "mlflow.db", Path(FOLDER.name) / "prefect.db"


def copy_mlflow() -> None:
    """From now on MLflow's tables are copied into an empty SQLite database."""
    from mlflow.store.db import utils
    from mlflow.store.model_registry import sqlalchemy_store

    make = utils._initialize_tables
    if getattr(make, "copies", False):
        return

    def initialize(engine: Any) -> None:
        with closing(engine.raw_connection()) as raw:
            database = raw.driver_connection
            if not isinstance(database, sqlite3.Connection) or tables(database):
                make(engine)
                return
            if not MLFLOW.exists():
                make(engine)
                copy(database, MLFLOW)
                return
            with closing(sqlite3.connect(MLFLOW)) as ready:
                ready.backup(database)

    initialize.copies = True  # type: ignore[attr-defined]
    utils._initialize_tables = sqlalchemy_store._initialize_tables = initialize


def tables(database: sqlite3.Connection) -> int:
    """How many things an SQLite database defines."""
    return int(database.execute("select count(*) from sqlite_master").fetchone()[0])


def copy(database: sqlite3.Connection, place: Path) -> None:
    """A whole copy, visible once it is complete."""
    aside = place.with_suffix(".new")
    with closing(sqlite3.connect(aside)) as target:
        database.backup(target)
    aside.rename(place)


def prefect_folder() -> str:
    """A new folder for the database of Prefect's test harness, with a copy of the tables in it."""
    folder = tempfile.mkdtemp()
    if PREFECT.exists():
        shutil.copyfile(PREFECT, Path(folder) / NAME)
    return folder


NAME = "prefect-test.db"
"""As the harness calls it."""


def keep_prefect(folder: str) -> None:
    """Keep the tables that a server has just made."""
    if not PREFECT.exists():
        with closing(sqlite3.connect(Path(folder) / NAME)) as database:
            copy(database, PREFECT)
