"""Scores of metrics cached in files: small, shared by all runs, deletable at any time."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fewshot_core.data_folder import canonical_json, text_fingerprint, write_json
from fewshot_core.metrics.base import Answer

FORMAT = "fewshot-scores/1"

SCORING_VERSION = 2
"""Raised whenever a metric, the network or its initialisation gives other scores than before.

What was remembered under another version is not looked at.
"""


@dataclass(frozen=True)
class ScoreKey:
    """Everything that the scores of an edge's operations depend on.

    Each operation is probed by the sub-supernet with only it on the edge and all that ``rows``
    enable elsewhere; the order in which a tree came there does not count.

    Attributes:
        metric: The metric's name.
        variant: Its variant.
        source: The package and the code that a metric of another package is from, or None.
        rows: The operations enabled on each edge.
        edge: The probed edge.
        network: What the network is, and the SHA-256 of its weights and stored statistics.
        images: The SHA-256 of the images and labels of the batch, or None.
        image_size: Height and width of an image.
        batch_norm: ``"batch"`` or ``"running"``, or None for a metric without images.
        drawn: The seed, and the groups asked for, where they count; else None.
        computed: By what: the version of PyTorch and the kind of device.
    """

    metric: str
    variant: str
    source: str | None
    rows: tuple[str, ...]
    edge: int
    network: str
    images: str | None
    image_size: int
    batch_norm: str | None
    drawn: tuple[int, int, bool] | None
    computed: str

    def document(self) -> dict[str, Any]:
        """Return the key as it is in a file, with ``SCORING_VERSION``."""
        text = canonical_json(asdict(self) | {"version": SCORING_VERSION})
        document: dict[str, Any] = json.loads(text)
        return document


class ScoreCache:
    """Remembers answers of metrics.

    A file appears complete or not at all, and two processes that work on the same write the same.
    One that is damaged is set aside, and its scores are computed anew.

    Args:
        folder: Where the files are, such as ``data/scores``.
        report: Called with a sentence about what is wrong with a file.

    Attributes:
        found: How many operations' scores were remembered.
        made: How many were computed.
        seconds: The time that took.
    """

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self.folder = folder
        self.found = 0
        self.made = 0
        self.seconds = 0.0
        self._report = report

    def find(self, key: ScoreKey) -> Answer | None:
        """Return what is remembered, or None."""
        path = self._path(key)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeError) as error:
            self._set_aside(path, error)
            return None
        try:
            return _read(text, key)
        except (LookupError, TypeError, ValueError) as error:
            self._set_aside(path, error)
            return None

    def keep(self, key: ScoreKey, answer: Answer) -> None:
        """Remember an answer; where it cannot be written, this is only reported."""
        document = {
            "format": FORMAT,
            "key": key.document(),
            "values": [_number_out(value) for value in answer.values],
            "similarity": None
            if answer.similarity is None
            else [[_number_out(value) for value in row] for row in answer.similarity.tolist()],
            "reason": answer.reason,
        }
        try:
            write_json(self._path(key), document)
        except OSError as error:
            self._report(f"scores cannot be remembered: {error}")

    def _path(self, key: ScoreKey) -> Path:
        name = text_fingerprint(canonical_json(key.document()))
        return self.folder / key.metric / f"{name[:24]}.json"

    def _set_aside(self, path: Path, error: Exception) -> None:
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
        aside = path.with_name(f"{path.name}.set-aside-{stamp}")
        try:
            path.replace(aside)
        except OSError:  # another process was first, or the disk refuses
            return
        self._report(
            f"remembered scores are damaged ({error}): set aside as {aside}, computed anew"
        )


def _read(text: str, key: ScoreKey) -> Answer:
    """Read what ``keep`` has written; raises where it is anything else."""
    document = json.loads(text)
    if document["format"] != FORMAT or document["key"] != key.document():
        raise ValueError("it holds other scores than its name says")
    count = key.rows[key.edge].count("1")
    values = tuple(_number_in(value) for value in document["values"])
    similarity = document["similarity"]
    matrix = None if similarity is None else _matrix(similarity)
    if len(values) != count or (matrix is not None and matrix.shape != (count, count)):
        raise ValueError(f"expected scores of {count} operations")
    reason = document["reason"]
    if not isinstance(reason, str | None):
        raise TypeError(f"expected a reason or null, got {reason!r}")
    return Answer(values, matrix, reason)


def _matrix(rows: Any) -> npt.NDArray[np.float64]:
    return np.array([[float(value) for value in row] for row in rows], dtype=np.float64)


def _number_in(value: Any) -> float | None:
    return None if value is None else float(value)


def _number_out(value: float | None) -> float | str | None:
    """Return a number as JSON can hold it: "nan", "inf" and "-inf" as text."""
    return value if value is None or math.isfinite(value) else str(value)
