"""Records of epochs as a Parquet table."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_core.datafolder import atomic_path


def write_parquet(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records as a Parquet table, atomically: one row for each epoch."""
    with atomic_path(path) as temporary:
        pd.DataFrame(list(records)).to_parquet(temporary, index=False)
