"""The registry of search algorithms.

Adding one is one file and one record here; from another package, see ``fewshot_core.registry``.
"""

from dataclasses import dataclass, fields

from fewshot_core.registry import PluginRegistry
from fewshot_core.search.options import SearchOptions


@dataclass(frozen=True)
class AlgorithmInfo:
    """What is known of an algorithm without running it.

    Attributes:
        name: Its name in every file and option.
        label: Its name in the paper's tables.
        description: What it does, in one line.
        source: Where it comes from.
        factory: ``"module:class"`` of its ``Algorithm``.
        passes: Forward and backward passes of one step, weights and architecture together.
        options: The options that only it reads.
        full_precision: Whether it cannot do with the numbers of mixed precision.
    """

    name: str
    label: str
    description: str
    source: str
    factory: str
    passes: int
    options: tuple[str, ...] = ()
    full_precision: bool = False


def _check(record: AlgorithmInfo) -> None:
    unknown = set(record.options) - {field.name for field in fields(SearchOptions)}
    if unknown:
        raise ValueError(f"expected options of a search, got {', '.join(sorted(unknown))}")


ALGORITHMS = PluginRegistry("search algorithm", "fewshot.algorithms", AlgorithmInfo, _check)

ALGORITHMS.add(
    AlgorithmInfo(
        name="darts-1st",
        label="DARTS-1st",
        description="Every edge outputs a mixture of its operations; the mixture follows the "
        "gradient of the validation loss.",
        source="Liu et al., 2019 (DARTS), first-order approximation; Appendix A.3 of the paper",
        factory="fewshot_core.search.algorithms.darts:FirstOrderDarts",
        passes=2,
    )
)
ALGORITHMS.add(
    AlgorithmInfo(
        name="darts-2nd",
        label="DARTS-2nd",
        description="As DARTS-1st, with the weights' own answer to the mixture in the gradient, "
        "by finite differences.",
        source="Liu et al., 2019 (DARTS), Eq. 6 to 8; Appendix A.3 of the paper",
        factory="fewshot_core.search.algorithms.darts:SecondOrderDarts",
        passes=5,
        full_precision=True,
    )
)
ALGORITHMS.add(
    AlgorithmInfo(
        name="snas",
        label="SNAS",
        description="Mixtures are drawn at random and become choices as the temperature falls.",
        source="Xie et al., 2018 (SNAS), concrete distribution; Appendix A.4 of the paper",
        factory="fewshot_core.search.algorithms.snas:Snas",
        passes=2,
        options=("temperature", "final_temperature", "temperature_schedule"),
    )
)
ALGORITHMS.add(
    AlgorithmInfo(
        name="dsnas",
        label="DSNAS",
        description="One operation per edge is drawn and computed; edges are decided one by one "
        "when they are sure.",
        source="Hu et al., 2020 (DSNAS), Section 3; Appendix A.5 of the paper",
        factory="fewshot_core.search.algorithms.dsnas:Dsnas",
        passes=2,
        options=("stopping_threshold",),
    )
)


def options_of_others(name: str) -> set[str]:
    """Return the options that our own algorithms read, and that this one does not."""
    own = [info for info in ALGORITHMS if ALGORITHMS.origin(info.name) is None]
    return {option for info in own for option in info.options} - {*ALGORITHMS.get(name).options}


def list_algorithms() -> list[str]:
    """Return the names of all algorithms."""
    return ALGORITHMS.names()
