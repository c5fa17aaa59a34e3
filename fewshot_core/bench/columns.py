"""A single column of a CSV file of architectures: an estimate, or a cost."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from fewshot_core.bench.csv_importer import LARGEST
from fewshot_core.csv_text import read_csv_text
from fewshot_core.errors import TableError
from fewshot_core.space import NAS_BENCH_201, SearchSpace
from fewshot_core.space.partitions import read_architectures

_ARCHITECTURE = ("arch", "architecture", "ArchitectureString")


def read_column(path: Path, column: str, space: SearchSpace = NAS_BENCH_201) -> pd.DataFrame:
    """Read one number for each of some architectures of a space.

    The file names architectures in a column ``arch`` (or ``architecture``), as text or as digits.

    Returns:
        Columns architecture (index) and the one that was asked for, sorted by architecture. Empty
        cells are left out.

    Raises:
        TableError: If there is no such column, an architecture is unknown or there twice, or a cell
            is not a finite number; the message names the line.
    """
    text = read_csv_text(path, LARGEST, TableError)
    named = [name for name in text.header if name in _ARCHITECTURE]
    if not named or column not in text.header:
        raise TableError(
            f"{text.name}: expected a column arch and a column {column!r}, got "
            f"{', '.join(text.header)}"
        )
    at, of = text.header.index(named[0]), text.header.index(column)
    indices = read_architectures([row[at] for row in text.rows], space)
    numbers = [_number(row[of]) for row in text.rows]
    seen: dict[int, int] = {}
    for number, (index, value) in enumerate(zip(indices.tolist(), numbers, strict=True)):
        cells = text.rows[number]
        if index < 0:
            problem = f"expected an architecture of {space.label}, got {cells[at]!r}"
        elif index in seen:
            problem = f"the architecture {cells[at]} is in {text.place(seen[index])}, too"
        elif cells[of] and not math.isfinite(value):
            problem = f"expected a finite number in the column {column!r}, got {cells[of]!r}"
        else:
            seen[index] = number
            continue
        raise TableError(f"{text.place(number)}: {problem}; correct the line")
    frame = pd.DataFrame({"architecture": indices, column: np.array(numbers)}).dropna()
    return frame.sort_values("architecture", ignore_index=True)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
