"""The registry of search algorithms.

Adding one is one file and one record here; from another package, see ``fewshot_core.registry``.
Importing this module imports no PyTorch: a record's ``create`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from fewshot_core.registry import PluginRegistry
from fewshot_core.search.options import SearchOptions

if TYPE_CHECKING:
    from fewshot_core.search.algorithms.base import Algorithm
    from fewshot_core.search.network import Alphas

Create = Callable[["Alphas", SearchOptions], "Algorithm"]
"""Creates an algorithm for architecture parameters and options."""


@dataclass(frozen=True)
class AlgorithmInfo:
    """A record of an algorithm.

    Attributes:
        name: Its name in every file and option.
        label: Its name in the paper's tables.
        description: What it does, in one line.
        source: Where it comes from.
        create: Imports its ``Algorithm`` and creates one.
        passes: Forward and backward passes of one step, weights and architecture together.
        options: The options that only it reads.
        full_precision: Whether mixed precision is too coarse for it.
    """

    name: str
    label: str
    description: str
    source: str
    create: Create
    passes: int
    options: tuple[str, ...] = ()
    full_precision: bool = False


def _check(record: AlgorithmInfo) -> None:
    unknown = set(record.options) - {field.name for field in fields(SearchOptions)}
    if unknown:
        raise ValueError(f"expected options of a search, got {', '.join(sorted(unknown))}")


def _darts_1st(alphas: Alphas, options: SearchOptions) -> Algorithm:
    from fewshot_core.search.algorithms.darts import FirstOrderDarts

    return FirstOrderDarts(alphas, options)


def _darts_2nd(alphas: Alphas, options: SearchOptions) -> Algorithm:
    from fewshot_core.search.algorithms.darts import SecondOrderDarts

    return SecondOrderDarts(alphas, options)


def _snas(alphas: Alphas, options: SearchOptions) -> Algorithm:
    from fewshot_core.search.algorithms.snas import Snas

    return Snas(alphas, options)


def _dsnas(alphas: Alphas, options: SearchOptions) -> Algorithm:
    from fewshot_core.search.algorithms.dsnas import Dsnas

    return Dsnas(alphas, options)


ALGORITHMS = PluginRegistry("search algorithm", "fewshot.algorithms", AlgorithmInfo, _check)

for _info in (
    AlgorithmInfo(
        name="darts-1st",
        label="DARTS-1st",
        description="Every edge outputs a mixture of its operations; the mixture follows the "
        "gradient of the validation loss.",
        source="Liu et al., 2019 (DARTS), first-order approximation; Appendix A.3 of the paper",
        create=_darts_1st,
        passes=2,
    ),
    AlgorithmInfo(
        name="darts-2nd",
        label="DARTS-2nd",
        description="As DARTS-1st, with a gradient that includes how the weights react to the "
        "mixture, by finite differences.",
        source="Liu et al., 2019 (DARTS), Eq. 6 to 8; Appendix A.3 of the paper",
        create=_darts_2nd,
        passes=5,
        full_precision=True,
    ),
    AlgorithmInfo(
        name="snas",
        label="SNAS",
        description="Mixtures are sampled and become choices as the temperature falls.",
        source="Xie et al., 2018 (SNAS), concrete distribution; Appendix A.4 of the paper",
        create=_snas,
        passes=2,
        options=("temperature", "final_temperature", "temperature_schedule"),
    ),
    AlgorithmInfo(
        name="dsnas",
        label="DSNAS",
        description="One operation per edge is sampled and computed; an edge is decided once one "
        "operation is much more probable than all others.",
        source="Hu et al., 2020 (DSNAS), Section 3; Appendix A.5 of the paper",
        create=_dsnas,
        passes=2,
        options=("stopping_threshold",),
    ),
):
    ALGORITHMS.add(_info)


def options_of_others(name: str) -> set[str]:
    """List the options that our own algorithms read, and that this one does not."""
    own = [info for info in ALGORITHMS if ALGORITHMS.origin(info.name) is None]
    return {option for info in own for option in info.options} - {*ALGORITHMS.get(name).options}


def list_algorithms() -> list[str]:
    """List the names of all algorithms."""
    return ALGORITHMS.names()
