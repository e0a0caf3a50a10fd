"""The rows of a source that needs no token, without the notes that its reading leaves."""

from pathlib import Path

import pandas as pd

from configs.sources import Source
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source


def load_rows(source: Source, scratch: Path) -> pd.DataFrame:
    return read_source(source, Intake(scratch))
