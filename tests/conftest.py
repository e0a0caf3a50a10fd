"""Every test is offline, has its own store and databases, and speaks to no server that it did not start."""

import os
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
from hypothesis import settings as property_settings  # noqa: E402

from tasks.store import reading  # noqa: E402
from tasks.store.events import Event, listeners  # noqa: E402

property_settings.register_profile("any machine", deadline=None)  # a busy one is no fault of the code
property_settings.load_profile("any machine")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for each test, with a space in its name: .artifacts and mlruns lie below it."""
    monkeypatch.setenv("TEMPER_HOME", str(tmp_path / "a home"))
    for name in ("TEMPER_ARTIFACTS", "MLFLOW_TRACKING_URI"):  # mlflow.set_tracking_uri writes the latter
        monkeypatch.delenv(name, raising=False)
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
