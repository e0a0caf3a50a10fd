"""Prefect's server on loopback, behind a guard: it answers to its own name, and to pages of its own alone."""

from .guard import Guard, serve


def app() -> Guard:
    """Prefect's app behind the guard, for uvicorn."""
    from prefect.server.api.server import create_app

    return Guard(create_app())


def main() -> None:
    """Serve on 127.0.0.1 at the port that is given."""
    serve("flows.services.prefect_server:app", lifespan="on")


if __name__ == "__main__":
    main()
