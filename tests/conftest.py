"""Every test is offline, has its own store and databases, and speaks to no server that it did not start."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.update({"HF_HUB_OFFLINE": "1", "PREFECT_LOGGING_LEVEL": "ERROR", "CUDA_VISIBLE_DEVICES": ""})
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # its five processes judge traces, of which there are none
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_VNNI"  # `train.precision: auto` is float32 on whichever machine this is
for leaked in ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "PREFECT_API_KEY", "PREFECT_API_URL"):
    os.environ.pop(leaked, None)

from configs.environment import quiet_tools  # noqa: E402

quiet_tools()

import fresh_databases  # noqa: E402
import pytest  # noqa: E402
from filelock import FileLock  # noqa: E402
from hypothesis import HealthCheck  # noqa: E402
from hypothesis import settings as property_settings  # noqa: E402

from tasks.store import reading  # noqa: E402
from tasks.store.events import Event, listeners  # noqa: E402

# A busy machine is no fault of the code.
property_settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
property_settings.load_profile("any machine")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(Path(__file__).parent))


INITIALISE = """
from configs.environment import quiet_tools
quiet_tools()
from flows.services.temporary_server import initialise
initialise()
"""
"""What `temper doctor --init` calls in `make setup`."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for each test, with a space in its name: .artifacts and mlruns lie below it."""
    monkeypatch.setenv("TEMPER_HOME", str(tmp_path / "a home"))
    for name in ("TEMPER_ARTIFACTS", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")  # so that what a test sets ends with it: mlflow.set_tracking_uri writes the latter
        monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPER_DATA", str(tmp_path / "data"))
    (tmp_path / "a home").mkdir()
    (tmp_path / "data").mkdir()
    if "mlflow" in sys.modules:
        fresh_databases.copy_mlflow()
    yield tmp_path / "a home"
    reading.release()


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of public data sets; absent on users' machines."""
    folder = ROOT.parent / "shared" / "datasets"
    if not folder.is_dir():
        pytest.skip("the public data sets are not on this machine")
    return folder


@pytest.fixture(scope="session")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make setup` makes ready, to be copied: MLflow's database in mlruns/, Prefect's in prefect/; made once for
    all processes of the tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "set up"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            made = folder.with_name("in the making")
            made.mkdir(parents=True)
            env = {**os.environ, "TEMPER_HOME": str(made), "PREFECT_HOME": str(made / "prefect")}
            subprocess.run([sys.executable, "-c", INITIALISE], cwd=ROOT, env=env, check=True)
            made.rename(folder)
    return folder


@pytest.fixture(scope="module")
def prefect_address(tmp_path_factory: pytest.TempPathFactory, set_up: Path) -> Iterator[str]:
    """Address of a Prefect server for the commands of a file."""
    folder = shutil.copytree(set_up / "prefect", tmp_path_factory.mktemp("prefect"), dirs_exist_ok=True)
    from flows.services import temporary_server

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(folder))
        patch.setattr(temporary_server, "PATIENCE", 400)  # of a busy machine
        process, url = temporary_server.start_server()
        temporary_server.open_server(process)
        try:
            temporary_server._wait(process, url)
            yield url
        finally:
            temporary_server._end(process)


@pytest.fixture
def shell(home: Path, tmp_path: Path, prefect_address: str, set_up: Path) -> tuple[Path, dict[str, str]]:
    """Temper's folder as a reader has it, and the environment of a reader who has followed `make setup`."""
    shutil.copytree(set_up / "mlruns", home / "mlruns")
    folder = tmp_path / "temper"
    (folder / ".venv").mkdir(parents=True)
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / "tasks").symlink_to(ROOT / "tasks")
    shutil.copytree(ROOT / "configs", folder / "configs", ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "TEMPER_HOME": str(home), "HOME": str(tmp_path), "PREFECT_API_URL": prefect_address}
    env |= {"COLUMNS": "160", "DO_NOT_TRACK": "true", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return folder, env


@pytest.fixture(scope="module")
def harness() -> Iterator[None]:
    from prefect.testing import utilities

    folder = fresh_databases.prefect_folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utilities, "mkdtemp", lambda: folder)
        with utilities.prefect_test_harness(server_startup_timeout=240):
            fresh_databases.keep_prefect(folder)
            yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the module, so that later tests start from a finished run."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[list[Event]]:
    monkeypatch.setenv("TEMPER_HOME", str(place))
    events: list[Event] = []
    with listeners(events.append):
        yield events
