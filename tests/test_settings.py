"""Process settings: from the environment, absolute, read afresh."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.settings import HOME, Settings, settings

NAMES = ("TEMPER_HOME", "TEMPER_ARTIFACTS", "TEMPER_DATA", "TEMPER_THREADS", "TEMPER_MLFLOW_UI", "MLFLOW_TRACKING_URI")


@pytest.fixture
def silent(monkeypatch, tmp_path):
    """An environment that sets nothing."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_an_environment_everything_lies_in_the_project_and_data_in_the_working_directory(silent):
    now = settings()
    assert (HOME / "flows").is_dir()
    assert now.store == HOME / ".artifacts"
    assert now.mlruns == HOME / "mlruns"
    assert now.tracking == f"sqlite:///{HOME}/mlruns/mlflow.db"
    assert now.source("a/b.csv") == silent / "data" / "a" / "b.csv"
    assert now.threads is None
    assert now.allow_private_sources is False


def test_home_moves_artifacts_and_mlruns_and_each_can_be_moved_alone(silent, monkeypatch):
    monkeypatch.setenv("TEMPER_HOME", "/somewhere")
    assert settings().store == Path("/somewhere/.artifacts")
    assert settings().tracking == "sqlite:////somewhere/mlruns/mlflow.db"
    monkeypatch.setenv("TEMPER_ARTIFACTS", "/elsewhere")
    assert settings().store == Path("/elsewhere")
    assert settings().mlruns == Path("/somewhere/mlruns")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert settings().tracking == "http://127.0.0.1:5000"


def test_relative_folders_become_absolute(silent, monkeypatch):
    monkeypatch.setenv("TEMPER_HOME", "house")
    monkeypatch.setenv("TEMPER_DATA", "rows")
    now = settings()
    assert now.store == silent / "house" / ".artifacts"
    assert now.tracking == f"sqlite:///{silent}/house/mlruns/mlflow.db"
    assert now.source("x.csv") == silent / "rows" / "x.csv"


def test_an_absolute_source_path_stays_where_it_is(silent):
    assert settings().source("/data/x.csv") == Path("/data/x.csv")


def test_the_environment_is_read_afresh_each_time(silent, monkeypatch):
    monkeypatch.setenv("TEMPER_THREADS", "1")
    assert settings().threads == 1
    monkeypatch.setenv("TEMPER_THREADS", "2")
    assert settings().threads == 2


@pytest.mark.parametrize("threads", ["0", "-1", "many", "1.5", ""])
def test_a_wrong_number_of_threads_is_refused_by_name(silent, monkeypatch, threads):
    monkeypatch.setenv("TEMPER_THREADS", threads)
    with pytest.raises(ValidationError, match="threads"):
        settings()


def test_settings_cannot_be_changed_once_read(silent):
    with pytest.raises(ValidationError, match="frozen"):
        settings().threads = 3


def test_every_setting_says_what_it_is_for():
    text = Path(HOME / "configs" / "settings.py").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"    {name}: " in text
        assert text.partition(f"    {name}: ")[2].splitlines()[1].strip().startswith('"""')


def test_addresses_are_shown_without_their_passwords(silent, monkeypatch):
    for given, shown in (
        ("postgresql://me:p@ss@db.example:5432/runs?sslpassword=x", "postgresql://db.example:5432/runs"),
        ("https://me:pass@mlflow.example/", "https://mlflow.example/"),
        ("sqlite:////srv/a@b/mlflow.db", "sqlite:////srv/a@b/mlflow.db"),
    ):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
        assert settings().tracking == given
        assert settings().shown_tracking == shown


def test_mlflows_pages_are_where_a_browser_reaches_them(silent, monkeypatch):
    assert settings().mlflow_pages is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:pass@mlflow:5000/")
    assert settings().mlflow_pages == "http://mlflow:5000"
    monkeypatch.setenv("TEMPER_MLFLOW_UI", "https://mlflow.example")
    assert settings().mlflow_pages == "https://mlflow.example"
