"""One PostgreSQL database for Prefect and MLflow: each in a schema of its own, for both have a table of one name."""

import asyncio
import importlib.util
import os
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from configs.secrets import masked

from .databases import revisions
from .service_error import ServiceError

SCHEMAS = {"Prefect": "prefect", "MLflow": "mlflow"}
SCHEMES = ("postgresql", "postgres")


def prepare(address: str) -> tuple[dict[str, str], str]:
    """Make both schemas where they are missing; Prefect's settings (environment) and MLflow's store address.

    `address`: postgresql://user:password@host:port/database. Raises ServiceError.
    """
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES or not parts.hostname or not parts.path.strip("/"):
        raise ServiceError(f"{masked(address)}: write the database as postgresql://USER:PASSWORD@HOST:PORT/NAME")
    if importlib.util.find_spec("psycopg") is None:
        raise ServiceError("MLflow needs a driver for PostgreSQL: pip install 'temper[postgres]'")
    try:
        has = asyncio.run(_make_schemas(address))
    except Exception as error:
        raise ServiceError(f"{masked(address)}: {_first_line(error)}") from None
    for owner, present in has.items():
        _require_usable(owner, present, masked(address))
    rest = address.partition("://")[2]
    prefect = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{rest}",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_SEARCH_PATH": f"{SCHEMAS['Prefect']}, public",
    }
    options = [*parse_qsl(parts.query), ("options", f"-csearch_path={SCHEMAS['MLflow']},public")]
    return prefect, f"postgresql+psycopg://{rest.partition('?')[0]}?{urlencode(options, quote_via=quote)}"


async def _make_schemas(address: str) -> dict[str, set[str]]:
    """The revision that each owner's tables have; none where there are no tables yet."""
    import asyncpg

    connection: Any = await asyncpg.connect(address, timeout=20)
    has: dict[str, set[str]] = {}
    try:
        for owner, name in SCHEMAS.items():
            await connection.execute(f"create schema if not exists {name}")
            there = await connection.fetchval("select to_regclass($1)", f"{name}.alembic_version")
            rows = await connection.fetch(f"select version_num from {name}.alembic_version") if there else []  # noqa: S608
            has[owner] = {str(row["version_num"]) for row in rows}
        await connection.execute("create extension if not exists pg_trgm schema public")
    finally:
        await connection.close()
    return has


def _require_usable(owner: str, has: set[str], shown: str) -> None:
    """Refuse tables of a newer package, and older ones of MLflow, which does not renew them by itself."""
    known, newest = revisions(owner, "postgresql")
    place = f"{owner}'s tables in {shown}"
    if not has <= known:
        raise ServiceError(f"{place} were made by a newer package; install that, or name another database")
    if owner == "MLflow" and has and has != newest:
        url = f"postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME?options=-csearch_path%3D{SCHEMAS[owner]},public"
        raise ServiceError(f"{place} are older than the package; to fix it: mlflow db upgrade '{url}'")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    prepare(os.environ["TEMPER_DATABASE"])
