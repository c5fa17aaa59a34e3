"""Partitions of a space that need not be products of operation sets: by a label, or by a rule."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fewshot_core import limits
from fewshot_core.data_folder import natural_order
from fewshot_core.documents import read_csv_text
from fewshot_core.errors import SpaceError
from fewshot_core.registry import Registry
from fewshot_core.space.search_space import Indices, SearchSpace
from fewshot_core.space.spaces import NAS_BENCH_201
from fewshot_core.space.sub_space import Architecture, Part, space_of

_LONGEST = 200
"""The most characters of a label."""

MOST_GROUPS = 1_000
"""The most groups of a partition."""

QUANTILES = 4
"""The number of groups by a cost."""

_LABEL = "label"
_OPERATION = re.compile(r"\('(\w+)', *(\d)\)")
_SOURCES = "001012"
_STRING = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
"""How a genotype writes an operation, the nodes that its edges come from, and the string of it."""

Costs = npt.NDArray[np.float64]


class ArchitectureSet:
    """A labelled set of architectures, one group of a partition.

    It has what analyses need of a sub-space, but not its operations: it need not be a product of
    operation sets, see ``sub_spaces_of``. Two are equal if they have the same label and
    the same architectures.
    """

    def __init__(self, label: str, indices: Indices, space: SearchSpace = NAS_BENCH_201) -> None:
        self.label = label
        self.space = space
        self._indices = np.sort(indices)
        self._indices.setflags(write=False)
        self._key = label, space.name, sha256(self._indices.tobytes()).digest()

    @property
    def size(self) -> int:
        """The number of architectures."""
        return len(self._indices)

    def architecture_indices(self) -> Indices:
        """Return the indices of all architectures, ascending; int64, shape (size,)."""
        return self._indices

    def __contains__(self, architecture: Architecture) -> bool:
        found = np.isin(self._indices, architecture.index).any()
        return architecture.space == self.space and bool(found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArchitectureSet) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"ArchitectureSet({self.label!r}, {self.size:,} architectures)"


Partition = tuple[ArchitectureSet, ...]


def partition_of(
    labels: Sequence[str] | npt.NDArray[np.int64], space: SearchSpace = NAS_BENCH_201
) -> Partition:
    """Group all architectures by their labels, in natural order: S2 before S10.

    ``labels`` has one for each architecture, in the order of their indices. Raises SpaceError if
    there is another number of them, or more than ``MOST_GROUPS`` distinct ones.
    """
    values = np.asarray(labels)
    if values.shape != (space.size,):
        raise SpaceError(f"expected a label for each of {space.size:,} architectures")
    distinct, numbers = np.unique(values, return_inverse=True)
    if values.dtype.kind != "i":
        sort = sorted(range(len(distinct)), key=lambda place: natural_order(str(distinct[place])))
        distinct, numbers = distinct[sort], np.argsort(sort)[numbers]
    if len(distinct) > MOST_GROUPS:
        raise SpaceError(f"expected at most {MOST_GROUPS:,} groups, got {len(distinct):,}")
    order = np.argsort(numbers, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(numbers))[:-1])
    return tuple(
        ArchitectureSet(str(label), group, space)
        for label, group in zip(distinct, groups, strict=True)
    )


def read_partition(path: Path, space: SearchSpace = NAS_BENCH_201) -> Partition:
    """Read a partition from a CSV file with the columns ``arch`` and ``label``.

    An architecture is written as its text or as digits. Raises SpaceError if a column is missing,
    an architecture is unknown, missing or repeated; the message names the line.
    """
    text = read_csv_text(path, limits.TABLE_BYTES, SpaceError)
    missing = [name for name in ("arch", _LABEL) if name not in text.header]
    if missing:
        raise SpaceError(f"{text.name}: expected the columns arch and {_LABEL}, got {text.columns}")
    at, labelled = text.header.index("arch"), text.header.index(_LABEL)
    indices = read_architectures([row[at] for row in text.rows], space)
    _check_once(indices, space, text.name, text.place)
    return _labelled(indices, [row[labelled] for row in text.rows], space)


def partition_of_lists(
    lists: Mapping[str, str], space: SearchSpace = NAS_BENCH_201, name: str = "the lists"
) -> Partition:
    """Read a partition from lists of architectures, by the label of each group.

    A list has an architecture on each line, as text or digits; or it is one list of genotypes as
    few-shot NAS publishes them: ``[(('none', 0),), (('none', 0), ('none', 1)), ...]``. Raises
    SpaceError if an architecture is unknown, missing or repeated.
    """
    texts: list[str] = []
    places: list[tuple[str, int]] = []
    for label, text in lists.items():
        found = _genotypes(text) or [line.strip() for line in text.splitlines()]
        places += [(label, number) for number, cell in enumerate(found, start=1) if cell]
        texts += filter(None, found)
    indices = read_architectures(texts, space)
    _check_once(indices, space, name, lambda row: "{}, architecture {}".format(*places[row]))
    return _labelled(indices, [label for label, _ in places], space)


def _genotypes(text: str) -> list[str]:
    """The architecture strings of genotypes of three nodes; none where there are other things."""
    found = _OPERATION.findall(text)
    cells = [found[start : start + len(_SOURCES)] for start in range(0, len(found), len(_SOURCES))]
    if any("".join(source for _, source in cell) != _SOURCES for cell in cells):
        return []
    return [_STRING.format(*(name for name, _ in cell)) for cell in cells]


def _labelled(indices: Indices, labels: Sequence[str], space: SearchSpace) -> Partition:
    if max(map(len, labels), default=0) > _LONGEST:  # an array has room for the longest
        raise SpaceError(f"expected labels of at most {_LONGEST} characters")
    ordered = np.empty(space.size, dtype=object)
    ordered[indices] = labels
    return partition_of(ordered.tolist(), space)


def group_numbers(parts: Sequence[Part]) -> Indices:
    """Map every architecture of a space to the position of its part, -1 for none."""
    numbers = np.full(space_of(parts).size, -1, dtype=np.int64)
    for position, part in enumerate(parts):
        numbers[part.architecture_indices()] = position
    return numbers


def group_labels(parts: Sequence[Part]) -> list[str]:
    """List the labels of parts: S1, S2, ... where they have none of their own."""
    return [
        part.label if isinstance(part, ArchitectureSet) else f"S{number}"
        for number, part in enumerate(parts, start=1)
    ]


def partition_csv(parts: Sequence[Part]) -> str:
    """Write a partition as ``read_partition`` reads it."""
    space, labels = space_of(parts), group_labels(parts)
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["arch", _LABEL])
    names = space.format_many(np.arange(space.size))
    writer.writerows(zip(names, (labels[number] for number in group_numbers(parts)), strict=True))
    return text.getvalue()


def read_architectures(texts: Sequence[str], space: SearchSpace) -> Indices:
    """Return the index of each architecture, written as its text or digits; -1 where it is none."""
    indices = space.parse_many(texts, "string")
    digits = space.parse_many(texts, "digits") if (indices < 0).any() else indices
    return np.where(indices < 0, digits, indices)


def _check_once(
    indices: Indices, space: SearchSpace, name: str, place: Callable[[int], str]
) -> None:
    """Check that every architecture of a space is there once; may raise SpaceError."""
    if (indices < 0).any():
        row = int((indices < 0).argmax())
        raise SpaceError(
            f"{place(row)}: expected an architecture of {space.label} like {space.format(0)}"
        )
    counts = np.bincount(indices, minlength=space.size)
    if (counts != 1).any():
        first = int((counts != 1).argmax())
        raise SpaceError(
            f"{name}: expected every one of {space.size:,} architectures once; "
            f"{int((counts == 0).sum()):,} are missing and {int((counts > 1).sum()):,} are "
            f"repeated; the first, {space.format(first)}, is there {int(counts[first])} times"
        )


@dataclass(frozen=True)
class PartitionRule:
    """A rule that gives every architecture of a space a number, its group.

    ``numbers`` maps a space, and the costs of its architectures where the rule ``needs_costs``, to
    an array of shape (size,); it raises SpaceError if the space does not have what the rule is
    about.
    """

    name: str
    label: str
    description: str
    numbers: Callable[[SearchSpace, Costs], Indices]
    needs_costs: bool = False


def partition_by_rule(
    name: str, space: SearchSpace = NAS_BENCH_201, costs: Costs | None = None
) -> Partition:
    """Partition a space by a rule of ``RULES``.

    ``costs`` has one for each architecture, in the order of their indices. Raises UnknownNameError,
    or SpaceError if costs are needed and one is missing.
    """
    rule = RULES.get(name)
    given = np.full(space.size, np.nan) if costs is None else np.asarray(costs, dtype=np.float64)
    if rule.needs_costs and (given.shape != (space.size,) or not np.isfinite(given).all()):
        raise SpaceError(f"the rule {name} needs a cost of each of {space.size:,} architectures")
    return partition_of(rule.numbers(space, given), space)


def _cost_quantile(space: SearchSpace, costs: Costs) -> Indices:
    """Number of the quantile, from 1; equal costs are in one."""
    limits = np.quantile(costs, np.arange(1, QUANTILES) / QUANTILES)
    numbers: Indices = np.searchsorted(limits, costs, side="left") + 1
    return numbers


def _chosen(space: SearchSpace, wanted: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
    """Whether each architecture chooses a wanted operation; shape (decisions, size)."""
    choices = np.unravel_index(np.arange(space.size), space.shape)
    pairs = zip(space.decisions, choices, strict=True)
    return np.stack([np.array([*map(wanted, one.operations)])[choice] for one, choice in pairs])


def _is_convolution(operation: str) -> bool:
    return "conv" in operation or operation.startswith("mb")


def _count_convolutions(space: SearchSpace, costs: Costs) -> Indices:
    counts: Indices = _chosen(space, _is_convolution).sum(axis=0, dtype=np.int64)
    return counts


def _connected(space: SearchSpace) -> npt.NDArray[np.bool_]:
    """Whether each edge of a cell is not ``none``; raises SpaceError if the space has no cells."""
    if not space.edges:
        raise SpaceError(f"expected a space of cells for this rule; {space.label} has no edges")
    return _chosen(space, lambda name: name != "none")


def _count_active_convolutions(space: SearchSpace, costs: Costs) -> Indices:
    connected = _connected(space)
    last = max(target for target, _ in space.edges)
    reached = {node: np.full(space.size, node == 0) for node in range(last + 1)}
    leads = {node: np.full(space.size, node == last) for node in range(last + 1)}
    edges = list(zip(space.edges, connected, strict=True))
    for (target, source), there in sorted(edges, key=lambda item: item[0]):
        reached[target] = reached[target] | (reached[source] & there)
    for (target, source), there in sorted(edges, key=lambda item: item[0][1], reverse=True):
        leads[source] = leads[source] | (leads[target] & there)
    used = [reached[source] & there & leads[target] for (target, source), there in edges]
    convolutions = _chosen(space, _is_convolution)
    counts: Indices = (np.stack(used) & convolutions).sum(axis=0, dtype=np.int64)
    return counts


def _longest_path(space: SearchSpace, costs: Costs) -> Indices:
    connected = _connected(space)
    last = max(target for target, _ in space.edges)
    longest = {node: np.full(space.size, 0 if node == 0 else -1) for node in range(last + 1)}
    for (target, source), there in sorted(
        zip(space.edges, connected, strict=True), key=lambda item: item[0]
    ):
        found = np.where(there & (longest[source] >= 0), longest[source] + 1, -1)
        longest[target] = np.maximum(longest[target], found)
    depths: Indices = np.maximum(longest[last], 0).astype(np.int64)
    return depths


RULES = Registry(
    "partition rule",
    PartitionRule(
        "active-convolutions",
        "active convolutions",
        "The number of edges with a convolution that a path from input to output uses.",
        _count_active_convolutions,
    ),
    PartitionRule(
        "convolutions",
        "convolutions",
        "The number of decisions for a convolution, used or not.",
        _count_convolutions,
    ),
    PartitionRule(
        "path-depth",
        "path depth",
        "The number of edges on the longest path from input to output, 0 where there is none.",
        _longest_path,
    ),
    PartitionRule(
        "cost-quantile",
        "cost quartile",
        "The quarter of all architectures by a cost, the cheapest first.",
        _cost_quantile,
        needs_costs=True,
    ),
)
"""The rules that partition a space."""
