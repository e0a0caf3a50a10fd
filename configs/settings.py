"""Process settings from the environment: where things lie and how many threads; never part of any key."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from .servers import known

HOME = Path(__file__).resolve().parent.parent


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

    largest_source: int = Field(default=20 * 2**30, gt=0)
    """Bytes that a download, or what an archive unpacks to, may have."""

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
            return self.tracking_uri
        servers = known(self.mlruns)
        return servers.mlflow if servers else self.database

    @property
    def database(self) -> str:
        """URI of MLflow's SQLite database in home."""
        return f"sqlite:///{self.mlruns / 'mlflow.db'}"

    def source(self, path: str) -> Path:
        """A source path of a recipe, absolute."""
        return (self.data / path).absolute()


def settings() -> Settings:
    """The settings of this process, read afresh so that a changed environment counts."""
    return Settings()
