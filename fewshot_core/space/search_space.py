"""Search spaces: ordered decisions, each with its own operations, and the indices of architectures.

An architecture chooses one operation for each decision. Its index is the mixed-radix number of the
choices, the first decision most significant.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from fewshot_core.errors import SpaceError
from fewshot_core.registry import NAME_PATTERN, Registry

Indices = npt.NDArray[np.int64]

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""The digits of choices in the text of an architecture, as many as a decision may have."""

LARGEST_SIZE = 20_000_000
"""The most architectures of a space: analysis has arrays with a number for each."""

KINDS = ("validation", "test")
"""The kinds of accuracy a table may hold; they are on different scales and never mixed."""

PERCENT = "%"

_SHORT, _LONGEST_GLYPH = 3, 5
"""Letters of a label that is drawn in whole, and the most of one that is abbreviated."""


def score_text(value: float, unit: str = PERCENT, more: int = 0) -> str:
    """Format a score with its unit, with so many more digits: "94.37%", "0.5712 SSIM".

    A missing score (NaN) is a dash.
    """
    if value != value:
        return "–"
    return f"{value:.{2 + more}f}%" if unit == PERCENT else f"{value:.{4 + more}g} {unit}"


@dataclass(frozen=True)
class Decision:
    """A choice between operations; ``labels`` are their short names, by default the names."""

    name: str
    operations: tuple[str, ...]
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.labels:
            object.__setattr__(self, "labels", self.operations)
        count = len(self.operations)
        if not 2 <= count <= len(DIGITS) or len(set(self.operations)) != count:
            raise SpaceError(
                f"{self.name}: expected 2 to {len(DIGITS)} distinct operations, "
                f"got {list(self.operations)}"
            )
        if len(self.labels) != count:
            raise SpaceError(
                f"{self.name}: expected {count} labels, one for each operation, "
                f"got {list(self.labels)}"
            )

    def describe(self, operations: Iterable[int]) -> str:
        """Return the short names of some operations, joined: ``"none skip pool"``."""
        return " ".join(self.labels[operation] for operation in operations)

    @cached_property
    def glyphs(self) -> tuple[str, ...]:
        """A text of a few letters for each operation, for figures: ``"n"`` for ``"none"``.

        It is the label, or its shortest beginning that no other label has; the digits of the
        operations where one of these is long.
        """
        found = []
        for label in self.labels:
            others = [other for other in self.labels if other != label]
            ends = range(1, len(label) + 1)
            unique = (n for n in ends if not any(o.startswith(label[:n]) for o in others))
            found.append(label if len(label) <= _SHORT else label[: next(unique, len(label))])
        fits = all(len(glyph) <= _LONGEST_GLYPH for glyph in found)
        return tuple(found) if fits else tuple(DIGITS[: len(found)])


@dataclass(frozen=True)
class Task:
    """A data set, or a task on one, that architectures have scores on.

    ``kinds`` are the ``KINDS`` of scores there are, ``unit`` that of the scores: ``"%"`` for
    accuracies from 0 to 100. Where smaller is better, importing a table changes the sign, so that
    larger is better in every table and analysis.
    """

    name: str
    label: str = ""
    kinds: tuple[str, ...] = KINDS
    unit: str = PERCENT
    larger_is_better: bool = True

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", self.name)
        if not NAME_PATTERN.fullmatch(self.name):
            raise SpaceError(
                "expected a name of a data set of letters, digits, hyphens and underscores, "
                f"got {self.name!r}"
            )
        if not self.kinds or set(self.kinds) - set(KINDS):
            raise SpaceError(
                f"{self.name}: expected kinds of scores among {', '.join(KINDS)}, "
                f"got {list(self.kinds)}"
            )

    @property
    def percent(self) -> bool:
        """Whether scores are accuracies from 0 to 100."""
        return self.unit == PERCENT

    @property
    def score(self) -> str:
        """What its scores are called: "accuracy" where they are percentages, else "score"."""
        return "accuracy" if self.percent else "score"

    @property
    def stored_unit(self) -> str:
        """The unit of scores as they are stored, larger being better: "negative metres"."""
        return self.unit if self.larger_is_better else f"negative {self.unit}"

    @property
    def form(self) -> str:
        """The format of its scores in tables, as of ``printf``."""
        return "%.2f" if self.percent else "%.4g"

    def text(self, score: float) -> str:
        """Format a stored score with its unit."""
        return score_text(score, self.stored_unit)

    @property
    def sign(self) -> int:
        """1 where larger is better, else -1: the factor that importing multiplies scores by."""
        return 1 if self.larger_is_better else -1


@dataclass(frozen=True)
class SearchSpace:
    """A search space.

    Attributes:
        name: Its name in every file and option.
        label: Its name in the app.
        datasets: The data sets or tasks that its tables have scores on.
        edges: For a cell, (target node, source node) of each decision, in the order of the
            architecture string; else empty.
        tints: Colours of operations, by name, as ``#rrggbb``.
        supernet: Imports the class of its supernet, a ``fewshot_core.nets.Supernet``. For our own
            spaces ``fewshot_core.networks`` knows it.
        table_file: The file of its published table, which may be imported.
        table_source: Where that file is.

    Raises SpaceError if it contradicts itself, or has more than ``LARGEST_SIZE`` architectures.
    """

    name: str
    label: str
    decisions: tuple[Decision, ...]
    datasets: tuple[Task, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    tints: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    supernet: Callable[[], type[Any]] | None = field(default=None, compare=False)
    table_file: str = ""
    table_source: str = ""

    def __post_init__(self) -> None:
        names = [decision.name for decision in self.decisions]
        if not names or len(set(names)) != len(names):
            raise SpaceError(f"{self.name}: expected decisions of distinct names, got {names}")
        if self.size > LARGEST_SIZE:
            raise SpaceError(
                f"{self.name}: expected at most {LARGEST_SIZE:,} architectures, got {self.size:,}"
            )
        if self.edges and len(self.edges) != len(names):
            raise SpaceError(
                f"{self.name}: expected {len(names)} edges, one for each decision, "
                f"got {len(self.edges)}"
            )
        for name, tint in self.tints.items():
            if not re.fullmatch("#[0-9a-fA-F]{6}", tint):
                raise SpaceError(f"{self.name}: expected #rrggbb as tint of {name}, got {tint!r}")
        datasets = [task.name for task in self.datasets]
        if len(set(datasets)) != len(datasets):
            raise SpaceError(f"{self.name}: expected distinct data sets, got {datasets}")

    def __hash__(self) -> int:
        return hash(self.name)  # cheap: spaces are parts of many keys

    def __repr__(self) -> str:
        return f"SearchSpace({self.name!r})"

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The number of operations of each decision."""
        return tuple(len(decision.operations) for decision in self.decisions)

    @cached_property
    def size(self) -> int:
        """The number of architectures."""
        return prod(self.shape)

    @property
    def fixed_depth(self) -> bool:
        """Whether its networks have as many layers as decisions; those of cells repeat a cell."""
        return not self.edges

    @property
    def noun(self) -> str:
        """What a decision is called: "edge" in a cell."""
        return "edge" if self.edges else "decision"

    def decision_label(self, number: int) -> str:
        """Name of a decision for messages: "edge 2<-0"."""
        name = self.decisions[number].name
        return f"edge {name}" if self.edges else name

    def dataset(self, name: str) -> Task:
        """Return a data set or task; an UnknownNameError lists those there are."""
        return self._registry.get(name)

    @cached_property
    def _registry(self) -> Registry[Task]:
        return Registry("data set", *self.datasets)

    def decode(self, index: int) -> tuple[int, ...]:
        """Return the number of the operation that an architecture chooses for each decision.

        Raises SpaceError if the index is out of range.
        """
        if not 0 <= index < self.size:
            raise SpaceError(
                f"expected an architecture index from 0 to {self.size - 1}, got {index}"
            )
        rest, choices = int(index), []
        for count in reversed(self.shape):
            rest, choice = divmod(rest, count)
            choices.append(choice)
        return tuple(reversed(choices))

    def encode(self, choices: Sequence[int]) -> int:
        """Return the index of an architecture; raises SpaceError as ``check_choices``."""
        self.check_choices(choices)
        index = 0
        for count, choice in zip(self.shape, choices, strict=True):
            index = index * count + int(choice)
        return index

    def check_choices(self, choices: Sequence[int]) -> None:
        """Raise SpaceError unless there is one operation number for each decision."""
        valid = len(choices) == len(self.shape) and all(
            choice in range(count) for count, choice in zip(self.shape, choices, strict=True)
        )
        if not valid:
            raise SpaceError(
                f"expected {len(self.shape)} operation numbers {self._ranges()}, "
                f"one for each {self.noun}, got {choices!r}"
            )

    def _ranges(self) -> str:
        if len(set(self.shape)) == 1:
            return f"from 0 to {self.shape[0] - 1}"
        return "below " + ", ".join(map(str, self.shape))

    def format(self, index: int) -> str:
        """Return the text of an architecture: an architecture string in a cell, else digits."""
        return self.text(self.decode(index))

    def digits(self, index: int) -> str:
        """Return the digits of an architecture, one for each decision."""
        return "".join(DIGITS[choice] for choice in self.decode(index))

    def text(self, choices: Sequence[int]) -> str:
        """Return the text of the architecture with these choices; see ``format``."""
        if not self.edges:
            return "".join(DIGITS[choice] for choice in choices)
        pairs = zip(self.edges, self.decisions, choices, strict=True)
        nodes = [
            "".join(f"|{of.operations[choice]}~{edge[1]}" for edge, of, choice in group) + "|"
            for _, group in groupby(pairs, key=lambda item: item[0][0])
        ]
        return "+".join(nodes)

    def format_many(self, indices: npt.ArrayLike) -> list[str]:
        """Return the text of each architecture."""
        rows = np.asarray(indices, dtype=np.int64)
        if self.edges:
            return [self.format(int(index)) for index in rows]
        codes = np.array([ord(digit) for digit in DIGITS], dtype=np.uint32)
        digits = codes[np.stack(np.unravel_index(rows, self.shape), axis=-1)]
        texts: list[str] = np.ascontiguousarray(digits).view(f"U{len(self.shape)}")[:, 0].tolist()
        return texts

    def parse(self, text: str) -> int:
        """Return the index of an architecture from its text or its digits.

        Raises SpaceError if the text is neither.
        """
        if isinstance(text, str) and re.fullmatch(rf"[0-9a-z]{{{len(self.shape)}}}", text.strip()):
            return self.encode([DIGITS.index(digit) for digit in text.strip()])
        if not self.edges:
            raise SpaceError(
                f"expected {len(self.shape)} digits {self._ranges()}, one for each decision, "
                f"got {text!r}"
            )
        if not isinstance(text, str):
            raise SpaceError(
                f"expected an architecture string like {self._example!r}, got {text!r}"
            )
        return self.encode(self._parse_string(text.strip()))

    @property
    def _example(self) -> str:
        """An architecture string for messages, with several operations."""
        return self.format(
            self.encode([(3, 1, 0, 4, 2, 3)[n % 6] % c for n, c in enumerate(self.shape)])
        )

    def _parse_string(self, text: str) -> list[int]:
        """Read the operation numbers of an architecture string, checking its form."""
        nodes = text.split("+")
        wrapped = all(len(node) > 1 and node[0] == node[-1] == "|" for node in nodes)
        items = [node[1:-1].split("|") for node in nodes]
        counts = [len([*group]) for _, group in groupby(target for target, _ in self.edges)]
        if [len(of_node) for of_node in items] != counts or not wrapped:
            listed = " and ".join(filter(None, [", ".join(map(str, counts[:-1])), str(counts[-1])]))
            raise SpaceError(
                f"expected an architecture string with {listed} operations, like "
                f"{self._example!r}, got {text!r}"
            )
        found = []
        flat = [item for of_node in items for item in of_node]
        for item, decision, (target, source) in zip(flat, self.decisions, self.edges, strict=True):
            operation, _, origin = item.partition("~")
            if operation not in decision.operations or origin != str(source):
                raise SpaceError(
                    f"expected operation~{source} into node {target}, with the operation one of "
                    f"{', '.join(decision.operations)}, got {item!r} in {text!r}"
                )
            found.append(decision.operations.index(operation))
        return found

    def parse_many(self, texts: Sequence[str], form: str = "string") -> Indices:
        """Return the index of each text, -1 for one that is not an architecture.

        ``form`` is ``"string"`` (as ``format`` writes them), ``"digits"`` or ``"index"``.
        """
        if form == "index":
            known = [re.fullmatch("0|[1-9][0-9]{0,17}", text) is not None for text in texts]
            pairs = zip(texts, known, strict=True)
            numbers = np.array([int(text) if yes else -1 for text, yes in pairs], dtype=object)
            numbers[numbers >= self.size] = -1
            return numbers.astype(np.int64)
        if form == "string" and self.edges:
            return np.array([self._strings.get(text, -1) for text in texts], dtype=np.int64)
        places = len(self.shape)
        fits = [text if len(text) == places and text.isascii() else " " * places for text in texts]
        characters = np.array(fits, dtype=f"U{places}").view(np.uint32).reshape(-1, places)
        values = np.full(128, -1, dtype=np.int64)
        values[[ord(digit) for digit in DIGITS]] = range(len(DIGITS))
        digits = values[characters]
        indices = np.full(len(fits), -1, dtype=np.int64)
        valid = ((digits >= 0) & (digits < self.shape)).all(axis=1)
        indices[valid] = np.ravel_multi_index(tuple(digits[valid].T), self.shape)
        return indices

    @cached_property
    def _strings(self) -> dict[str, int]:
        return {self.format(index): index for index in range(self.size)}
