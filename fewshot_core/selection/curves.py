"""Curves of recorded searches, one for each sub-supernet, checked once and stored as arrays.

Epoch t is the state after t epochs of training, so that training up to there costs t epochs;
epoch 0 is the state before, with the weights copied from the supernet.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.data_folder import natural_order
from fewshot_core.errors import SelectionError
from fewshot_core.space import PERCENT, SearchSpace, SubSpace

COLUMNS = ("sub_space", "epoch", "valid_accuracy", "test_accuracy")
"""The columns that curves must have."""

ACCURACIES = ("valid_accuracy", "test_accuracy")

MEASURES = {
    "valid_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy",
    "valid_loss": "validation loss",
    "parameters": "number of parameters",
}
"""The columns with numbers, and their names; loss and parameters are optional."""

Floats = npt.NDArray[np.float64]

_NAMED = 4


def check_frame(
    frame: pd.DataFrame, unit: str = PERCENT, valid_unit: str = PERCENT
) -> pd.DataFrame:
    """Check the rows of curves and convert names to text, epochs and seeds to int64.

    The units are those of what is found and of the validation accuracies.

    A missing column, an invalid number or a row that is there twice raises a ``SelectionError``
    that names sub-space and epoch.
    """
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        got = ", ".join(map(str, frame.columns)) or "none"
        raise SelectionError(f"expected curves with a column {missing[0]!r}, got {got}")
    if frame.empty:
        raise SelectionError("expected curves with at least one row, got none; run a search first")
    rows = frame.copy()
    rows["sub_space"] = frame["sub_space"].astype(str).str.strip().astype(object)
    if frame["sub_space"].isna().any() or (rows["sub_space"] == "").any():
        raise SelectionError("expected a name in every row of the column 'sub_space', got none")
    rows["epoch"] = _whole_numbers(frame, "epoch")
    if "seed" in frame:
        rows["seed"] = _whole_numbers(frame, "seed")
    for column, of in zip(ACCURACIES, (valid_unit, unit), strict=True):
        rows[column] = _numbers(rows, column, *score_limits(of))
    for column in {"valid_loss", "parameters"}.intersection(frame):
        rows[column] = _numbers(rows, column, 0.0, np.inf)
    repeated = rows.duplicated(["sub_space", "epoch", *(["seed"] if "seed" in rows else [])])
    if repeated.any():
        first = rows[repeated].iloc[0]
        seed = f" with seed {first['seed']}" if "seed" in rows else ""
        raise SelectionError(
            f"expected one row for every sub-space and epoch, got two for {first['sub_space']} at "
            f"epoch {first['epoch']}{seed}; remove one of them"
        )
    return rows


def _whole_numbers(frame: pd.DataFrame, column: str) -> "pd.Series[int]":
    numbers = pd.to_numeric(frame[column], errors="coerce")
    wrong = numbers.isna() | (numbers < 0) | (numbers % 1 != 0)
    if wrong.any():
        first = frame[wrong].iloc[0]
        raise SelectionError(
            f"expected whole numbers from 0 in the column {column!r}, got {first[column]!r} of "
            f"{first['sub_space']}"
        )
    return numbers.astype("int64")


def score_limits(unit: str) -> tuple[float, float]:
    """The least and the largest score: 0 and 100 for percentages."""
    return (0.0, 100.0) if unit == PERCENT else (-np.inf, np.inf)


def limits_text(low: float, high: float) -> str:
    """Say which number is expected: "a percentage from 0 to 100"."""
    if np.isfinite(high):
        return f"a percentage from {low:g} to {high:g}"
    return f"a number from {low:g}" if np.isfinite(low) else "a number"


def _numbers(rows: pd.DataFrame, column: str, low: float, high: float) -> "pd.Series[float]":
    """Convert a column to floats; missing values stay NaN."""
    numbers = pd.to_numeric(rows[column], errors="coerce")
    wrong = (numbers.isna() & rows[column].notna()) | (numbers < low) | (numbers > high)
    wrong |= np.isinf(numbers)
    if wrong.any():
        first = rows[wrong].iloc[0]
        raise SelectionError(
            f"expected {limits_text(low, high)} in the column {column!r}, got "
            f"{first[column]!r} of {first['sub_space']} at epoch {first['epoch']}"
        )
    return numbers.astype("float64")


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of one search in every sub-space of a split.

    Attributes:
        sub_spaces: Names, in tree order: S2 before S10.
        epochs: All epochs of any curve, ascending, int64 of shape (m,).
        values: By column, float64 of shape (sub-spaces, m), NaN where nothing was recorded;
            accuracies in percent, if the units do not say otherwise.
        recorded: Mask of the epochs of each curve, of the same shape.
        architectures: The architecture each search would return, of the same shape, or None.
        unit: The unit of what is found, the column test_accuracy; larger is better.
        valid_unit: The unit of the supernets' validation accuracies.
        feasible: Mask of the architectures that are within a limit of the cost, of the same shape;
            None without a limit. See ``within``.
    """

    sub_spaces: tuple[str, ...]
    epochs: npt.NDArray[np.int64]
    values: Mapping[str, Floats]
    recorded: npt.NDArray[np.bool_]
    architectures: npt.NDArray[np.object_] | None = None
    unit: str = PERCENT
    valid_unit: str = PERCENT
    feasible: npt.NDArray[np.bool_] | None = None

    @property
    def end(self) -> int:
        """The last epoch of the longest curve."""
        return int(self.epochs[-1])

    def within(self, allowed: npt.NDArray[np.bool_], space: SearchSpace) -> "Curves":
        """Apply a limit of the cost: an architecture beyond it is infeasible, without an accuracy.

        ``allowed`` marks the architectures of the space that are within the limit. Curves that
        record no architectures are returned unchanged.
        """
        if self.architectures is None:
            return self
        known = {
            text: bool(allowed[space.parse(text) if isinstance(text, str) else int(text)])
            for text in pd.unique(self.architectures.ravel())
            if not pd.isna(text)
        }
        feasible = np.vectorize(lambda text: known.get(text, False), [np.bool_])(self.architectures)
        found = np.where(feasible, self.values["test_accuracy"], np.nan)
        return replace(self, values={**self.values, "test_accuracy": found}, feasible=feasible)

    def feasible_at(self, epoch: int) -> npt.NDArray[np.bool_]:
        """Mask of the sub-spaces whose architecture at an epoch is within the limit of the cost."""
        at = int(self.epochs.searchsorted(epoch))
        everything = np.ones(len(self.sub_spaces), dtype=np.bool_)
        return everything if self.feasible is None else self.feasible[:, at]

    def found(self, end: int) -> Floats:
        """What each sub-supernet finds by the end: minus infinity where that is infeasible.

        Raises SelectionError if a value is missing, or nothing feasible is found.
        """
        feasible = self.feasible_at(end)
        if not feasible.any():
            raise SelectionError(
                f"no architecture that is found by epoch {end} is within the limit of the cost; "
                "raise the limit"
            )
        found = np.full(len(self.sub_spaces), -np.inf)
        for place in np.flatnonzero(feasible):
            found[place] = self.value("test_accuracy", int(place), end)
        return found

    def shared_epochs(self) -> npt.NDArray[np.int64]:
        """Epochs at which every curve has a validation accuracy, ascending."""
        known = ~np.isnan(self.values["valid_accuracy"]).any(axis=0)
        shared: npt.NDArray[np.int64] = self.epochs[known]
        return shared

    def column(self, name: str) -> Floats:
        """Look up a column, shape (sub-spaces, epochs); raises ``SelectionError`` if missing."""
        if name not in self.values:
            raise SelectionError(
                f"expected curves with a column {name!r}, got {', '.join(self.values)}; add the "
                f"{MEASURES.get(name, name)} or choose by another"
            )
        return self.values[name]

    def value(self, name: str, sub_space: int, epoch: int) -> float:
        """Look up the value of a curve at an epoch; raises ``SelectionError`` if missing."""
        column = self.column(name)
        at = int(self.epochs.searchsorted(epoch))
        if at < len(self.epochs) and self.epochs[at] == epoch:
            value = float(column[sub_space, at])
            if not np.isnan(value):
                return value
        raise SelectionError(
            f"expected a {MEASURES[name]} of {self.sub_spaces[sub_space]} at epoch {epoch}, got "
            f"none: {self._recorded_around(sub_space, epoch)}"
        )

    def architecture(self, sub_space: int, epoch: int) -> str | int | None:
        """Architecture that a search would return at an epoch: index, text, or None."""
        if self.architectures is None:
            return None
        found: Any = self.architectures[sub_space, int(self.epochs.searchsorted(epoch))]
        if pd.isna(found):
            return None
        return int(found) if isinstance(found, int | float | np.number) else str(found)

    def _recorded_around(self, sub_space: int, epoch: int) -> str:
        own = self.epochs[self.recorded[sub_space]]
        if epoch in own:
            return "the value there is missing (NaN)"
        before, after = own[own < epoch], own[own > epoch]
        if not before.size:
            return f"its curve begins at epoch {own[0]}"
        if not after.size:
            return f"its curve ends at epoch {own[-1]}; complete it, or choose an end up to there"
        return f"the recorded epochs around it are {before[-1]} and {after[0]}"


def read_frame(frame: pd.DataFrame) -> Curves:
    """Convert a DataFrame of one search per sub-space, in any order, to curves.

    Raises SelectionError if there is more than one seed, or a row is invalid; see ``check_frame``.
    """
    rows = check_frame(frame)
    seeds = set(rows["seed"]) if "seed" in rows else set()
    if len(seeds) > 1:
        raise SelectionError(
            f"expected the curves of one seed, got those of {len(seeds)}: "
            f"{', '.join(map(str, sorted(seeds)))}; choose one of them"
        )
    return _arrange(rows)


SeveralCurves = pd.DataFrame | Mapping[int, Curves]
"""Curves of some seeds: a DataFrame, or what ``curves_by_seed`` returns."""


def curves_by_seed(
    curves: SeveralCurves, unit: str = PERCENT, valid_unit: str = PERCENT
) -> dict[int, Curves]:
    """Convert the curves of each seed, ascending; without a column seed all are of seed 0.

    The units are those of what is found and of the validation accuracies. Curves by seed are
    returned unchanged.
    """
    if not isinstance(curves, pd.DataFrame):
        return dict(curves)
    rows = check_frame(curves, unit, valid_unit)
    if "seed" not in rows:
        return {0: _arrange(rows, unit, valid_unit)}
    seeds = rows["seed"].to_numpy(dtype=np.int64)
    return {int(seed): _arrange(rows[seeds == seed], unit, valid_unit) for seed in np.unique(seeds)}


def comparable(tables: Mapping[int, Curves]) -> dict[int, Curves]:
    """Select the seeds with the most sub-spaces, which can be compared."""
    most = max(len(table.sub_spaces) for table in tables.values())
    return {seed: table for seed, table in tables.items() if len(table.sub_spaces) == most}


def gaps_text(curves: Curves) -> str:
    """Name the sub-spaces that lack epochs, and which; empty where none does.

    Epochs are expected as closely as most of them follow each other, up to the last one.
    """
    known = ~np.isnan(curves.values["valid_accuracy"])
    epochs = curves.epochs[known.any(axis=0)]
    if len(epochs) < 2:
        return ""
    step = int(np.diff(epochs).min())
    even = np.arange(epochs[0], epochs[-1] + 1, step)
    expected = np.union1d(epochs, even) if len(epochs) > len(even) / 2 else epochs
    lacking = [np.setdiff1d(expected, curves.epochs[own]) for own in known]
    parts = [
        f"{name} lacks epoch{'s' * (len(missing) > 1)} {_ranges(missing, expected)}"
        for name, missing in zip(curves.sub_spaces, lacking, strict=True)
        if missing.size
    ]
    more = f"; so do {len(parts) - _NAMED} more" if len(parts) > _NAMED + 1 else ""
    return "; ".join(parts[:_NAMED] if more else parts) + more


def _ranges(chosen: npt.NDArray[np.int64], known: npt.NDArray[np.int64]) -> str:
    """List numbers, those that follow each other among the known ones as a range."""
    places = known.searchsorted(chosen)
    runs = np.split(chosen, np.flatnonzero(np.diff(places) > 1) + 1)
    texts = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return ", ".join([*texts[:_NAMED], "..."] if len(texts) > _NAMED else texts)


def as_curves(curves: pd.DataFrame | Curves) -> Curves:
    """Convert a DataFrame by ``read_frame``; curves are returned unchanged."""
    return curves if isinstance(curves, Curves) else read_frame(curves)


def checked_end(curves: Curves, end: int | None) -> int:
    """Check the epoch at which a full run ends: by default the last epoch of the curves."""
    chosen = curves.end if end is None else operator.index(end)
    if not 1 <= chosen <= curves.end:
        raise SelectionError(
            f"expected an end from epoch 1 to {curves.end}, the last epoch recorded, got {chosen}"
        )
    return chosen


def _arrange(rows: pd.DataFrame, unit: str = PERCENT, valid_unit: str = PERCENT) -> Curves:
    names = tuple(sorted(rows["sub_space"].unique(), key=natural_order))
    positions = {name: position for position, name in enumerate(names)}
    epochs, column = np.unique(rows["epoch"].to_numpy(), return_inverse=True)
    place = rows["sub_space"].map(positions).to_numpy(dtype=np.int64), column
    shape = len(names), len(epochs)
    values = {}
    for name in MEASURES:
        if name in rows:
            values[name] = np.full(shape, np.nan)
            values[name][place] = rows[name].to_numpy()
    if "parameters" in values and np.isnan(values["parameters"]).all(axis=1).any():
        del values["parameters"]  # the most cannot be told without those of every sub-space
    recorded = np.zeros(shape, dtype=np.bool_)
    recorded[place] = True
    architectures = None
    if "architecture" in rows:
        architectures = np.full(shape, None, dtype=object)
        architectures[place] = rows["architecture"].to_numpy(dtype=object)
    return Curves(names, epochs, values, recorded, architectures, unit, valid_unit)


def leaders(
    curves: pd.DataFrame | Curves, trained: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Find the sub-supernet with the highest validation accuracy at each epoch (red in Fig. 4).

    With ``trained``, the last epoch of each sub-supernet that is trained, only among these.

    Returns:
        One row for each epoch with a validation accuracy: epoch, sub_space (the first in tree order
        in a tie), valid_accuracy, test_accuracy of the architecture found there (percent, missing
        if unknown), and tied (number of others with the same validation accuracy).
    """
    table = as_curves(curves)
    valid, test = table.values["valid_accuracy"], table.values["test_accuracy"]
    if trained is not None:
        last = np.array([trained.get(name, -1) for name in table.sub_spaces])
        valid = np.where(table.epochs <= last[:, None], valid, np.nan)
    known = ~np.isnan(valid).all(axis=0)
    valid, test = valid[:, known], test[:, known]
    filled = np.where(np.isnan(valid), -np.inf, valid)
    first = filled.argmax(axis=0)
    columns = np.arange(filled.shape[1])
    highest = filled[first, columns]
    return pd.DataFrame(
        {
            "epoch": table.epochs[known],
            "sub_space": np.array(table.sub_spaces, dtype=object)[first],
            "valid_accuracy": highest,
            "test_accuracy": test[first, columns],
            "tied": (filled == highest).sum(axis=0) - 1,
        }
    )


_FAMILY = ("algorithm", "preset", "epochs", "synthetic", "request")
_CURVES = ["seed", "sub_space", "epoch", "valid_accuracy", "valid_loss", "test_accuracy"]


@dataclass(frozen=True, eq=False)
class RecordedCurves:
    """The curves of the searches of one group in the sub-spaces of a split, with seeds.

    ``test_accuracy`` is looked up in a table. For each seed, ``missing`` has the names of the
    sub-spaces without a search.
    """

    frame: pd.DataFrame
    missing: Mapping[int, tuple[str, ...]]


def search_groups(
    leaves: Sequence[SubSpace], searches: pd.DataFrame, by: str = "group"
) -> pd.DataFrame:
    """List the groups of searches in the sub-spaces of a split, by a column of ``Store.searches``.

    A search belongs to every split that contains its sub-space. By default, the searches of a group
    are by one algorithm, with equal evidence; those of a ``"family"`` differ only by sub-space and
    seed.

    Returns:
        One row for each group, the most complete first and then the latest: the column, algorithm,
        preset, epochs, synthetic and request (of its latest search), seeds (a tuple, ascending),
        searches (their number), and wanted (number of a complete group with these seeds).
    """
    found = []
    for key, rows in _named(leaves, searches).groupby(by, sort=False):
        part = rows.drop_duplicates(["name", "seed"])
        seeds = tuple(sorted({int(seed) for seed in part["seed"]}))
        latest = part.iloc[0][list(_FAMILY)]
        found.append((key, *latest, seeds, len(part), len(seeds) * len(leaves)))
    table = pd.DataFrame(found, columns=[by, *_FAMILY, "seeds", "searches", "wanted"])
    missing = 1 - table["searches"] / table["wanted"]
    return table.iloc[missing.argsort(kind="stable")].reset_index(drop=True)


def recorded_curves(
    leaves: Sequence[SubSpace],
    searches: pd.DataFrame,
    records: pd.DataFrame,
    accuracy: pd.DataFrame,
    parameters: "pd.Series[float] | None" = None,
) -> RecordedCurves:
    """Join the searches of one group in some sub-spaces, their epochs, and accuracies.

    They are those of ``Store.searches``, ``Store.search_records`` and ``load_accuracy``. Of several
    searches in a sub-space with one seed, the first counts. With the parameters of architectures
    (``load_parameters``), the curves have their mean in each sub-space.
    """
    rows = _named(leaves, searches).drop_duplicates(["name", "seed"])
    joined = rows[["run_id", "name", "seed"]].merge(records, on="run_id")
    found = accuracy.set_index("architecture")["accuracy_mean"]
    frame = joined.assign(
        sub_space=joined["name"], test_accuracy=joined["architecture"].map(found)
    )[[*_CURVES, "architecture"]]
    frame = frame.astype({"seed": "int64"})
    frame = frame.sort_values(["seed", "sub_space", "epoch"], ignore_index=True)
    names = [f"S{number}" for number in range(1, len(leaves) + 1)]
    if parameters is not None:
        means = [parameters.reindex(leaf.architecture_indices()).mean() for leaf in leaves]
        frame["parameters"] = frame["sub_space"].map(dict(zip(names, means, strict=True)))
    missing = {
        int(str(seed)): tuple(name for name in names if name not in set(part["name"]))
        for seed, part in rows.groupby("seed")
    }
    return RecordedCurves(frame, missing)


def _named(leaves: Sequence[SubSpace], searches: pd.DataFrame) -> pd.DataFrame:
    """Select the searches in some sub-spaces, with their names S1, S2, ..."""
    names = {" ".join(leaf.rows): f"S{number}" for number, leaf in enumerate(leaves, start=1)}
    rows = searches.assign(name=searches["sub_space"].map(names))
    return rows[rows["name"].notna()]
