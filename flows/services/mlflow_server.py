"""MLflow's server on loopback, behind a guard: MLflow itself takes requests from every page of this machine."""

from .guard import Guard, serve


def app() -> Guard:
    """MLflow's app behind the guard, for uvicorn."""
    from tasks.tracking.server import create_app

    return Guard(create_app())


def main() -> None:
    """Serve on 127.0.0.1 at the port that is given, the database of the environment's MLFLOW_BACKEND_STORE_URI."""
    from tasks.tracking.server import prepare

    prepare()
    serve("flows.services.mlflow_server:app")


if __name__ == "__main__":
    main()
