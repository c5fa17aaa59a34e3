"""Accuracies of architectures with the shared weights of a run, kept beside its checkpoint.

What a table says of the same architectures is looked up when the two are compared. Importing this
module imports no scipy: comparing does.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fewshot_core.datafolder import write_json
from fewshot_core.resolve import resolve
from fewshot_core.search.errors import SearchError

if TYPE_CHECKING:
    from fewshot_core.search.correlation import Correlation, RankCorrelation

FILE = "shared_accuracies.json"


@dataclass(frozen=True)
class SharedAccuracies:
    """Accuracies with shared weights, of a random sample.

    Attributes:
        epoch: The last epoch of the search or training when they were measured.
        seed: Which architectures were drawn.
        images: On how many images.
        held_out: Whether the weights were not trained on these images.
        architectures: Indices, ascending.
        accuracies: In percent, in the same order.
    """

    epoch: int
    seed: int
    images: int
    held_out: bool
    architectures: tuple[int, ...]
    accuracies: tuple[float, ...]

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "SharedAccuracies":
        """Read what ``dataclasses.asdict`` makes of them.

        Raises:
            SearchError: If it is something else.
        """
        try:
            values = dict(document)
            for name in ("architectures", "accuracies"):
                values[name] = tuple(document[name])
            found = cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise SearchError(f"no accuracies with shared weights: {error!r}") from error
        if len(found.architectures) != len(found.accuracies):
            raise SearchError(
                f"expected an accuracy for each of {len(found.architectures)} architectures, got "
                f"{len(found.accuracies)}"
            )
        return found


def draw(known: np.ndarray[Any, np.dtype[np.int64]], sample: int, seed: int) -> list[int]:
    """Return random architectures without replacement, ascending; all, if there are fewer."""
    count = min(sample, len(known))
    chosen = np.random.default_rng(seed).choice(known, count, replace=False)
    return [int(index) for index in np.sort(chosen)]


def read_shared(folder: Path) -> SharedAccuracies | None:
    """Return what was measured of the run of a folder, or None.

    Raises:
        SearchError: If the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return SharedAccuracies.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SearchError(f"{path} cannot be read ({error}); measure it again") from error


def write_shared(folder: Path, shared: SharedAccuracies) -> None:
    """Keep what was measured of the run of a folder, in place of an earlier measurement."""
    write_json(folder / FILE, asdict(shared))


def compare(
    shared: SharedAccuracies, table: pd.DataFrame
) -> "tuple[RankCorrelation | None, pd.DataFrame]":
    """Compare accuracies with shared weights to those of a table.

    Args:
        shared: What was measured.
        table: Columns architecture (index) and accuracy_mean (percent).

    Returns:
        The rank correlation, or None where the table knows fewer than two of the architectures;
        and columns architecture, shared_accuracy and benchmark_accuracy of those it knows.
    """
    known = table.set_index("architecture")["accuracy_mean"]
    frame = pd.DataFrame(
        {"architecture": shared.architectures, "shared_accuracy": shared.accuracies}
    )
    frame["benchmark_accuracy"] = frame["architecture"].map(known)
    frame = frame.dropna(subset=["benchmark_accuracy"]).reset_index(drop=True)
    if len(frame) < 2:
        return None, frame
    found: RankCorrelation = resolve("fewshot_core.search.correlation:rank_correlation")(
        frame["shared_accuracy"], frame["benchmark_accuracy"]
    )
    return found, frame


def correlation_text(one: "Correlation") -> str:
    """Return a correlation with its interval, in words."""
    if one.value is None:
        return "not defined: one of the rankings is a single tie"
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} (interval {one.low:.3f} to {one.high:.3f})"
