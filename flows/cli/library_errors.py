"""Errors of libraries at the edge of both servers -> a line that says what, where and the fix; None for all others."""

from types import TracebackType

from configs.secrets import masked

SERVERS = {
    "mlflow": "MLflow",
    "sqlalchemy": "MLflow",
    "sqlite3": "MLflow",
    "alembic": "MLflow",
    "requests": "MLflow",
    "urllib3": "MLflow",
    "prefect": "Prefect",
    "httpx": "Prefect",
    "httpcore": "Prefect",
    "websockets": "Prefect",
}
"""Packages whose errors are met here, and which server they are asked for."""
LONGEST = 300
"""Characters of what a library says."""
GONE = (
    "max retries exceeded",
    "connection refused",
    "connection attempts failed",
    "connection reset",
    "timed out",
    "server disconnected",
    "connection aborted",
)
"""Words of a server that does not answer any more."""
GO_ON = (
    "start the server again and repeat the command: finished stages are kept, and a training goes on from its last "
    "checkpoint"
)
FIXES = (
    *((word, GO_ON) for word in GONE),
    ("lock", "another process holds the database: end it, and try again"),
    ("deleted", "restore it in MLflow's interface, or with `mlflow runs restore` or `mlflow experiments restore`"),
    ("not found", "it was deleted, or belongs to another store: see `temper history MODEL` and MLFLOW_TRACKING_URI"),
    (
        "does not exist",
        "it was deleted, or belongs to another store: see `temper history MODEL` and MLFLOW_TRACKING_URI",
    ),
    ("", "see `temper doctor`"),
)
"""What helps where these words occur; the first that fits counts."""


def library_error(error: Exception) -> str | None:
    """What is stated about an error that a package of SERVERS raised, of its own kind or a plain one from its code.

    Where it came of an error of the other server, it is that one's: `temper up` ends both when one is gone.
    """
    owner = _owner(error)
    if owner is None:
        return None
    before = error.__cause__ or error.__context__
    while before is not None:
        if isinstance(before, Exception) and (_owner(before) or owner) != owner:
            return library_error(before)
        before = before.__cause__ or before.__context__
    message = " ".join(str(error).split("[SQL:")[0].split()) or type(error).__name__
    short = message if len(message) <= LONGEST else f"{message[:LONGEST]}…"
    fix = next(fix for word, fix in FIXES if word in message.lower())
    return masked(f"{owner} ({_asked(error) or _where(owner)}): {short}; {fix}")


def _owner(error: Exception) -> str | None:
    for kind in type(error).__mro__:
        if owner := SERVERS.get(kind.__module__.partition(".")[0]):
            return owner
    if type(error) in (RuntimeError, ConnectionError, TimeoutError):
        return SERVERS.get(_raised_in(error.__traceback__).partition(".")[0])
    return None


def _raised_in(at: TracebackType | None) -> str:
    """The module whose code raised."""
    name = ""
    while at is not None:
        name, at = str(at.tb_frame.f_globals.get("__name__", "")), at.tb_next
    return name


def _asked(error: Exception) -> str | None:
    """The server that a request of httpx went to: a run outlives what said where Prefect is."""
    request = getattr(error, "_request", None)
    return None if request is None else f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"


def _where(owner: str) -> str:
    from configs.settings import settings

    if owner == "MLflow":
        return settings().shown_tracking
    from prefect.settings import PREFECT_API_URL

    return str(PREFECT_API_URL.value() or "its temporary server")
