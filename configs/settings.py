"""Process settings from the environment: where things lie and how many threads; never part of any key."""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .packages import PREFIX, locate
from .servers import known

HOME = Path(__file__).resolve().parent.parent
READ = ("TEMPER_", "MLFLOW_TRACKING_URI")
"""How the variables begin that are read, in any case."""


class Settings(BaseSettings):
    """Every setting is an environment variable with the prefix TEMPER_; paths are made absolute."""

    model_config = SettingsConfigDict(env_prefix="TEMPER_", frozen=True)

    home: Path = HOME
    """Where .artifacts/ and mlruns/ lie unless set apart."""
    artifacts: Path | None = None
    """The artifact store; default .artifacts in home."""
    data: Path = Path("data")
    """Where relative source paths start."""
    tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")
    """MLflow's tracking store; default the server that `temper up` keeps, else the SQLite database mlruns/mlflow.db."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of a training; default torch's own choice."""
    allow_private_sources: bool = False
    """Let downloads use http and non-public addresses (tests)."""

    remote: str | None = None
    """A store that several machines share (file://, s3://, gs://): artifacts are brought from there, and stored there
    once made. Its credentials are those of its library's own environment variables."""

    system_metrics: bool = True
    """Log what a training asks of the machine (processor, memory, disk, network, GPU) to MLflow."""
    mlflow_ui: str | None = None
    """Address at which a browser reaches MLflow; default the tracking store where that is a server."""

    studies: str | None = None
    """Optuna's storage of `temper search`, a database's URL; default the SQLite file mlruns/studies.db."""

    largest_source: int = Field(default=20 * 2**30, gt=0)
    """Bytes that a download, or what an archive unpacks to, may have."""

    keep_days: float = Field(default=30, ge=1)
    """Days for which `temper gc` keeps what no recipe, version or recent run needs, after its last use; and for which
    the servers of `temper up` keep flow runs."""
    keep_runs: int = Field(default=3, ge=1)
    """Runs of each recipe, the latest, whose artifacts `temper gc` keeps however old they are."""
    budget_gib: float | None = Field(default=None, gt=0)
    """GiB that the artifact store may have: beyond it `temper gc` deletes the least recently used sooner."""

    @field_validator("home", "artifacts", "data", mode="before")
    @classmethod
    def _expanded(cls, path: Any) -> Any:
        return os.path.expanduser(path) if isinstance(path, str) else path

    @property
    def store(self) -> Path:
        """Absolute path of the artifact store."""
        return (self.artifacts or self.home / ".artifacts").absolute()

    @property
    def mlruns(self) -> Path:
        """Absolute path of MLflow's own folder."""
        return (self.home / "mlruns").absolute()

    @property
    def tracking(self) -> str:
        """Absolute URI of the tracking store."""
        if self.tracking_uri:
            return self._own
        servers = known(self.mlruns)
        return servers.mlflow if servers else self.database

    @property
    def database(self) -> str:
        """URI of MLflow's database where no server keeps it: MLFLOW_TRACKING_URI where that names one, else the SQLite
        file in home. It is what `temper up` serves."""
        if self.tracking_uri and not self.tracking_uri.startswith(("http://", "https://")):
            return self._own
        return f"sqlite:///{self.mlruns / 'mlflow.db'}"

    @property
    def _own(self) -> str:
        """MLFLOW_TRACKING_URI, the file of an SQLite database made absolute: servers work in another folder."""
        given = str(self.tracking_uri)
        if given.startswith("sqlite:///") and not given.startswith("sqlite:////"):
            return f"sqlite:///{Path(given.removeprefix('sqlite:///')).absolute()}"
        return given

    @property
    def study_storage(self) -> str:
        """URL of the database that keeps the studies of searches."""
        return self.studies or f"sqlite:///{self.mlruns / 'studies.db'}"

    @property
    def shown_study_storage(self) -> str:
        """The same as it may be shown."""
        return without_password(self.study_storage)

    @property
    def shown_tracking(self) -> str:
        """The tracking store's address as it may be shown."""
        return without_password(self.tracking)

    @property
    def mlflow_pages(self) -> str | None:
        """Address of MLflow's interface, for links; None where only a database is known."""
        address = self.mlflow_ui or (self.tracking if self.tracking.startswith(("http://", "https://")) else None)
        return None if address is None else without_password(address).rstrip("/")

    def source(self, path: str) -> Path:
        """A source path of a recipe, absolute; `package:NAME/path` lies in an installed package.

        Raises FileNotFoundError where there is no such package.
        """
        return locate(path) if path.startswith(PREFIX) else (self.data / os.path.expanduser(path)).absolute()


def without_password(address: str) -> str:
    """A server's or database's address as it may be shown: without name, password and query."""
    return re.sub(r"^([\w+.-]+://)[^/]*@", r"\1", address).partition("?")[0]


def settings() -> Settings:
    """The settings of this process; a changed environment counts."""
    return _of(tuple(sorted((name, value) for name, value in os.environ.items() if name.upper().startswith(READ))))


@lru_cache(maxsize=8)
def _of(environment: tuple[tuple[str, str], ...]) -> Settings:
    """The settings of this environment, which is that of the process."""
    return Settings()
