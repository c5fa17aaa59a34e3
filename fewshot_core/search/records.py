"""Records of epochs, and the files of a search or training.

Accuracies here are the supernet's. Those of architectures are looked up in a table when shown.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from fewshot_core import limits
from fewshot_core.data_folder import atomic_path, write_text
from fewshot_core.documents import DamageError, read_dataclass, read_limited, refusing, shown
from fewshot_core.search.options import SearchError
from fewshot_core.space import NAS_BENCH_201, SearchSpace

SHARED = "shared_accuracies.json"
SCORES = "scores.jsonl"
"""Scores of architectures: some of them a line, in order, with the position of the first."""

RECORDS = "epochs.jsonl"
"""One record a line, appended and synced as an epoch ends."""

TABLE = "epochs.parquet"
"""The same records as a table, once all epochs are done."""

CHECKPOINT = "checkpoint.pt"
"""The state after the last epoch done; also a checkpoint of the network."""

DAMAGED = "checkpoint.damaged.pt"
"""A checkpoint that could not be used and was renamed."""


@dataclass(frozen=True)
class StepProgress:
    """Progress inside an epoch, from 1, or 0 while the start is evaluated; steps done of all."""

    epoch: int
    epochs: int
    step: int
    steps: int


def ignore(progress: StepProgress) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class _Record:
    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], space: SearchSpace = NAS_BENCH_201) -> Self:
        """Read what ``to_dict`` returns; raises SearchError if it is not of a search space."""
        return read_dataclass(cls, document, "the record of an epoch", SearchError)


@dataclass(frozen=True)
class EpochRecord(_Record):
    """One epoch of a search.

    Attributes:
        epoch: Epochs done. Record 0 is from before the first one, with all operations of an edge
            weighted equally: for inherited weights, the accuracy right after copying them.
        train_loss: Mean cross-entropy of the weight steps, or None in record 0.
        train_accuracy: Accuracy in the weight steps, in percent, or None in record 0.
        valid_loss: Mean cross-entropy over the held-out half of the images.
        valid_accuracy: The supernet's validation accuracy: on the held-out half, in percent.
        architecture: The architecture that the search would return now, and its index.
        probabilities: For each edge or other decision, the probability of each of its operations;
            0 for those that are not in the sub-space.
        entropy: For each edge, the entropy of its probabilities, in bits.
        temperature: The temperature of the epoch, or None where there is none.
        seconds: The time it took.
    """

    epoch: int
    train_loss: float | None
    train_accuracy: float | None
    valid_loss: float
    valid_accuracy: float
    architecture: str
    architecture_index: int
    probabilities: tuple[tuple[float, ...], ...]
    entropy: tuple[float, ...]
    temperature: float | None
    seconds: float

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], space: SearchSpace = NAS_BENCH_201) -> Self:
        """Read what ``to_dict`` returns; raises SearchError if it is not of a search space."""
        record = super().from_dict(document)
        shape = tuple(len(row) for row in record.probabilities)
        if shape != space.shape or len(record.entropy) != len(shape):
            operations = " or ".join(map(str, sorted(set(space.shape))))
            raise SearchError(
                f"the record of an epoch is damaged: expected the probabilities of {operations} "
                f"operations on {len(space.shape)} {space.noun}s, got rows of {list(shape)}"
            )
        return record


@dataclass(frozen=True)
class TrainingRecord(_Record):
    """One epoch of a supernet's training.

    Attributes:
        train_loss: Mean cross-entropy of the steps.
        train_accuracy: Accuracy in the steps, in percent.
        valid_loss: Mean cross-entropy over the held-out half, or None where nothing is held out.
        valid_accuracy: Accuracy on the held-out half, in percent, or None.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float | None
    valid_accuracy: float | None
    learning_rate: float
    seconds: float


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Append a record, and return once it is on the disk.

    A line that an earlier process has left unfinished is ended first.
    """
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(_line(record).encode())
        file.flush()
        os.fsync(file.fileno())


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write all records, atomically."""
    write_text(path, "".join(map(_line, records)))


def read_records(path: Path, key: str = "epoch") -> list[dict[str, Any]]:
    """Read the records of a file, ordered by a key; none if there is no file.

    Incomplete lines are skipped: the last one may just be being written. Of two records of an
    epoch the later counts. Raises SearchError if a record holds something else than numbers.
    """
    if not path.exists():
        return []
    with refusing(SearchError, path.name):
        lines = read_limited(path, limits.RUN_BYTES).split(b"\n")
        records = [
            record
            for number, line in enumerate(lines, start=1)
            if (record := _record(line, number, key)) is not None
        ]
    by_epoch = {record[key]: record for record in records}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


_NUMBERS = (
    *("train_loss", "train_accuracy", "valid_loss", "valid_accuracy"),
    *("architecture_index", "temperature", "learning_rate", "seconds"),
)
_LARGEST = 1e300


def _record(line: bytes, number: int, key: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or type(record.get(key)) is not int:
        return None
    for name in (key, *_NUMBERS):
        value = record.get(name)
        if type(value) is float and abs(value) < _LARGEST and name != "architecture_index":
            continue  # most of them
        whole = name in (key, "architecture_index")
        kinds = (int,) if whole else (int, float)
        least, most = (0, limits.INTEGER) if whole else (-_LARGEST, _LARGEST)
        if value is not None and not (type(value) in kinds and least <= value < most):
            raise DamageError(f"line {number}: expected a number of {name}, got {shown(value)}")
    return record


def write_parquet(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records as a Parquet table, atomically: one row for each epoch."""
    with atomic_path(path) as temporary:
        import pandas as pd

        pd.DataFrame(list(records)).to_parquet(temporary, index=False)
