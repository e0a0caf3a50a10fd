"""One PostgreSQL database for Prefect and MLflow: each in a schema of its own, for both have a table of one name."""

import asyncio
import importlib.util
import os
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from configs.secrets import masked

from .services import ServiceError

SCHEMAS = ("prefect", "mlflow")
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
        asyncio.run(_make_schemas(address))
    except Exception as error:
        raise ServiceError(f"{masked(address)}: {_first_line(error)}") from None
    rest = address.partition("://")[2]
    prefect = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{rest}",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_SEARCH_PATH": f"{SCHEMAS[0]}, public",
    }
    options = [*parse_qsl(parts.query), ("options", f"-csearch_path={SCHEMAS[1]},public")]
    return prefect, f"postgresql+psycopg://{rest.partition('?')[0]}?{urlencode(options, quote_via=quote)}"


async def _make_schemas(address: str) -> None:
    import asyncpg

    connection: Any = await asyncpg.connect(address, timeout=20)
    try:
        for name in SCHEMAS:
            await connection.execute(f"create schema if not exists {name}")
        await connection.execute("create extension if not exists pg_trgm schema public")
    finally:
        await connection.close()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    prepare(os.environ["TEMPER_DATABASE"])
