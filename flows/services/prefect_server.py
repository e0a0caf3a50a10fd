"""Prefect's server on loopback, behind a guard: it answers to its own name, and to pages of its own alone."""

import sys

from .guard import Guard


def app() -> Guard:
    """Prefect's app behind the guard, for uvicorn."""
    from prefect.server.api.server import create_app

    return Guard(create_app())


def main() -> None:
    """Serve on 127.0.0.1 at the port that is given."""
    import uvicorn

    uvicorn.run(
        "flows.services.prefect_server:app",
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
