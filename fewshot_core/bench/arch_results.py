"""Reading the ``ArchResults`` that both NATS-Bench and NAS-Bench-201 keep for an architecture.

The two packages have a class of this name each, with the same methods.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from fewshot_core.bench.codes import architecture_codes
from fewshot_core.bench.content import TableContent, content_from_seeds
from fewshot_core.errors import TableError

EPOCHS = 200

DAMAGE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, ZeroDivisionError)
"""What the packages raise when a record lacks something."""

_SETS = (
    # data set, kind, what the network was trained on, what it was evaluated on
    ("cifar10", "validation", "cifar10-valid", "x-valid"),
    ("cifar10", "test", "cifar10", "ori-test"),
    ("cifar100", "validation", "cifar100", "x-valid"),
    ("cifar100", "test", "cifar100", "x-test"),
    ("ImageNet16-120", "validation", "ImageNet16-120", "x-valid"),
    ("ImageNet16-120", "test", "ImageNet16-120", "x-test"),
)


@dataclass
class Collector:
    """Gathers the results of one architecture after the other.

    CIFAR-10 was trained on twice. Its validation accuracies and its costs are of the networks that
    saw half of the training images, its test accuracies of those that saw all.
    """

    _rows: list[tuple[Any, ...]] = field(default_factory=list)
    _costs: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, results: Any, name: str, place: str) -> None:
        """Add an architecture.

        Args:
            results: Its ``ArchResults`` of the training over 200 epochs.
            name: The architecture string that the input's list of architectures has for it.
            place: Where it was found, for messages.

        Raises:
            TableError: If the results are of another architecture or another training, or lack
                something.
        """
        try:
            if results.arch_str != name:
                raise TableError(
                    f"{place}: expected results of {name}, got results of {results.arch_str}; get "
                    "the file again from where it came from"
                )
            if results.get_total_epoch() != EPOCHS:
                raise ValueError(f"{results.get_total_epoch()} epochs instead of {EPOCHS}")
            architecture = architecture_codes("string")[name]
            self._rows += _read_accuracies(results, architecture, place)
            self._costs += _read_costs(results, architecture)
        except DAMAGE as error:
            raise TableError(
                f"{place}: expected the results of one architecture after {EPOCHS} epochs, got "
                f"something else ({type(error).__name__}: {error}); get the file again from where "
                "it came from"
            ) from error

    def content(self, source: str) -> TableContent:
        """Return all that was added.

        Raises:
            TableError: If nothing was, or an accuracy cannot be one, or is there twice.
        """
        columns = ["dataset", "kind", "architecture", "seed", "accuracy", "place"]
        rows = pd.DataFrame(self._rows, columns=columns)
        columns = ["dataset", "architecture", "parameters", "latency", "train_time"]
        costs = pd.DataFrame(self._costs, columns=columns)
        return content_from_seeds(rows, costs, source, EPOCHS)


def _read_accuracies(results: Any, architecture: int, place: str) -> Iterator[tuple[Any, ...]]:
    trained = results.get_dataset_names()
    for dataset, kind, training, evaluation in _SETS:
        if training in trained:
            for seed, trial in results.query(training).items():
                accuracy = float(trial.get_eval(evaluation)["accuracy"])
                yield dataset, kind, architecture, int(seed), accuracy, place


def _read_costs(results: Any, architecture: int) -> Iterator[tuple[Any, ...]]:
    """Yield the costs for each data set; the packages count parameters in millions."""
    trained = results.get_dataset_names()
    for dataset, kind, training, _ in _SETS:
        if kind == "validation" and training in trained:
            costs = results.get_compute_costs(training)
            parameters = float(round(costs["params"] * 1e6))
            latency, train_time = (
                math.nan if costs[name] is None else float(costs[name])
                for name in ("latency", "T-train@total")
            )
            yield dataset, architecture, parameters, latency, train_time
