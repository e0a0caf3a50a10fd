"""MLflow's tracking server as an application of this process: what `mlflow server` sets before it starts the same."""

import os
import uuid
from pathlib import Path
from typing import Any

BEGINNING = """try {
  const kept = "mlflow.workflowType_v1";
  localStorage.getItem(kept) || localStorage.setItem(kept, JSON.stringify("machine_learning"));
} catch (denied) {}"""
"""What a browser does before it shows MLflow: where it has kept no side, it keeps that of models."""
WHOLE = """div:has(> .note-view-outer-container) { max-height: none !important }
.note-view-outer-container + div, div:has(> .note-view-outer-container) + button { display: none !important }
.note-editor-preview-content img { max-width: 100%; max-height: 200px; width: auto; height: auto }"""
"""A style by which descriptions are shown whole, with their pictures, without fade and button for more; MLflow shows
the first hundred pixels."""


def prepare() -> None:
    """Make the database of the environment's MLFLOW_BACKEND_STORE_URI ready, once, before any request comes.

    Clients write artifacts to MLFLOW_DEFAULT_ARTIFACT_ROOT themselves; one process serves, without jobs.
    """
    store, artifacts = os.environ["MLFLOW_BACKEND_STORE_URI"], os.environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"]
    os.environ |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_ENABLE_WORKSPACES": "false"}
    from mlflow import server
    from mlflow.environment_variables import _MLFLOW_IN_JOB_EXECUTOR, _MLFLOW_SERVER_BOOT_ID, _MLFLOW_SGI_NAME
    from mlflow.server.handlers import initialize_backend_stores

    os.environ |= {
        server.BACKEND_STORE_URI_ENV_VAR: store,
        server.REGISTRY_STORE_URI_ENV_VAR: store,
        server.ARTIFACT_ROOT_ENV_VAR: artifacts,
        _MLFLOW_SGI_NAME.name: "uvicorn",
        _MLFLOW_IN_JOB_EXECUTOR.name: "false",
        _MLFLOW_SERVER_BOOT_ID.name: uuid.uuid4().hex,
    }
    initialize_backend_stores(store, store, artifacts)


def create_app() -> Any:
    """The ASGI application, interface and API; `prepare` comes first."""
    from mlflow.server.fastapi_app import create_fastapi_app
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    app = create_fastapi_app()
    page = front_page()
    app.router.routes.insert(0, Route("/", lambda request: HTMLResponse(page, headers={"Cache-Control": "no-cache"})))
    return app


def front_page() -> str:
    """MLflow's only page, on which a new browser begins with models and trainings, and descriptions are whole.

    Which side is shown is decided in the browser alone (`?workflowType=` of the address, else what it keeps, else
    GenAI), without regard to the experiment's own tag. The switch above the menu works as before.
    """
    from mlflow import server

    page = Path(str(server.__file__)).parent / str(server.REL_STATIC_DIR) / "index.html"
    return page.read_text(encoding="utf-8").replace(
        "<head>", f"<head><script>{BEGINNING}</script><style>{WHOLE}</style>", 1
    )
