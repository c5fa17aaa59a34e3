"""Selection among sub-supernets: successive halving, top-k and the baselines (Section 4.3)."""

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from math import ceil

import numpy as np
import pandas as pd

from fewshot_core.errors import SelectionError
from fewshot_core.selection.curves import Curves, Floats, as_curves, checked_end
from fewshot_core.selection.rankings import DEFAULT_WINDOW, RANKINGS, rank_scores
from fewshot_core.space import PERCENT, score_text

_FINEST_SHARE = 1_000_000
_MOST_DIGITS = 6


@dataclass(frozen=True)
class Tie:
    """Sub-supernets with the same value at an epoch, where some were kept and others discarded.

    Those that come first in tree order are kept, an arbitrary choice.
    """

    epoch: int
    value: float
    kept: tuple[str, ...]
    discarded: tuple[str, ...]


@dataclass(frozen=True)
class HalvingResult:
    """Outcome of a selection: winner, cost and regret.

    Attributes:
        strategy: One of ``fewshot_core.selection.STRATEGIES``.
        sub_spaces: Names of all sub-spaces, in tree order.
        end: The epoch at which a full run ends.
        rank_by: One of ``RANKINGS``, ``"test_accuracy"``, or empty where nothing was ranked.
        survivors: The sub-spaces left after each milestone, in tree order, and at the end the
            winner alone; empty for a random choice.
        trained: The epoch up to which each sub-supernet was trained.
        winner: The selected sub-space, or None for a random choice.
        architecture: The architecture found by the winner, as index or text, or None if the curves
            do not have it.
        test_accuracy: Test accuracy of the architecture found, in ``unit``; its expected value for
            a random choice. It and the regret are NaN if that is beyond a limit of the cost.
        cost: Epochs trained by all sub-supernets, in full runs: divided by ``end``.
        ceiling: Test accuracy of the best architecture that any sub-supernet finds by the end.
        regret: ``ceiling`` minus ``test_accuracy``, in percentage points where these are percent.
        best: The sub-space in which it is found; in a tie, the winner if it is among them, or else
            the one that lasted longest.
        equally_best: All sub-spaces that reach the ceiling, in tree order.
        discarded_at: The epoch at which ``best`` was discarded, or None if it was not.
        ties: Ties at a milestone or at the end.
        unit: The unit of what is found.
        valid_unit: The unit of the supernets' validation accuracies.
    """

    strategy: str
    sub_spaces: tuple[str, ...]
    end: int
    rank_by: str
    survivors: Mapping[int, tuple[str, ...]]
    trained: Mapping[str, int]
    winner: str | None
    architecture: str | int | None
    test_accuracy: float
    cost: float
    ceiling: float
    regret: float
    best: str
    equally_best: tuple[str, ...]
    discarded_at: int | None
    ties: tuple[Tie, ...] = ()
    unit: str = PERCENT
    valid_unit: str = PERCENT

    @property
    def milestones(self) -> tuple[int, ...]:
        """The epochs at which sub-supernets could be discarded, ascending, without the end."""
        return tuple(epoch for epoch in self.survivors if epoch < self.end)

    @property
    def discarded(self) -> dict[str, int]:
        """The sub-spaces that were discarded before the end, with the epoch, in tree order."""
        if self.winner is None:
            return {}
        return {name: epoch for name, epoch in self.trained.items() if epoch < self.end}


def successive_halving(
    curves: pd.DataFrame | Curves,
    milestones: Iterable[int],
    keep: float = 0.5,
    end: int | None = None,
    rank_by: str = "valid_accuracy",
    window: int = DEFAULT_WINDOW,
) -> HalvingResult:
    """Discard at each milestone the remaining sub-supernets that rank lowest, select at the end.

    With a half kept and milestones 30, 100 and 600, as in the paper, 8 sub-supernets become 4,
    then 2, and the better of these is selected at epoch 600. Under a limit of the cost, those whose
    architecture at the epoch is infeasible rank below all others (Deb, 2000).

    Args:
        curves: Columns sub_space, epoch, valid_accuracy and test_accuracy (percent), optionally
            valid_loss and architecture; or curves from ``read_frame``. A curve may end where its
            sub-supernet is discarded, except for its test accuracy at the end, without which the
            ceiling is unknown.
        milestones: Epochs from 0 to ``end``, each once. One is selected at the end, whether it is
            among them or not.
        keep: Share of the remaining ones that is kept, above 0 and at most 1, rounded up to whole
            sub-supernets: of 5, a half keeps 3. At least one is kept.
        end: The epoch at which a full run ends; by default the last epoch of the curves.
        rank_by: One of ``RANKINGS``, at the milestones and at the end.
        window: Number of epochs of a moving average.

    Raises:
        SelectionError: If a required value is missing, or an argument is out of range.
        UnknownNameError: If ``rank_by`` is unknown.
    """
    if not 0 < keep <= 1:
        raise SelectionError(f"expected a share to keep above 0 and at most 1, got {keep}")
    # The simple fraction that is meant, so that 0.07 of 100 is 7 and not 7.000000000000001.
    share = Fraction(keep).limit_denominator(_FINEST_SHARE)

    def kept(remaining: int) -> int:
        return max(1, ceil(share * remaining))

    return _select(as_curves(curves), "halving", milestones, kept, end, rank_by, window)


def top_k(
    curves: pd.DataFrame | Curves,
    k: int,
    epoch: int = 0,
    end: int | None = None,
    rank_by: str = "valid_accuracy",
    window: int = DEFAULT_WINDOW,
) -> HalvingResult:
    """Continue with the k sub-supernets that rank highest at one epoch, and select at the end.

    At epoch 0 they are ranked with the weights copied from the supernet, as in the original
    few-shot NAS (Zhao et al., 2021), and only the k kept are trained.

    Other arguments and errors are as for ``successive_halving``.
    """
    table = as_curves(curves)
    count = len(table.sub_spaces)
    if not 1 <= k <= count:
        raise SelectionError(f"expected to keep 1 to {count} sub-supernets, got {k}")
    return _select(table, "top_k", [epoch], lambda remaining: k, end, rank_by, window)


def train_all(curves: Curves, end: int) -> HalvingResult:
    """Train all sub-supernets to the end and take the best architecture that any of them finds.

    This is the ceiling, reported in Tables 1 to 3 of the paper. To select by validation accuracy
    after training all, use ``successive_halving`` without milestones or with ``keep=1``: the cost
    is the same.
    """
    best = int(curves.found(end).argmax())
    trained = dict.fromkeys(range(len(curves.sub_spaces)), end)
    return _result(curves, "train_all", end, "test_accuracy", {end: (best,)}, trained)


def oracle(curves: Curves, end: int) -> HalvingResult:
    """Train only the sub-supernet that finds the best architecture, as if it were known."""
    best = int(curves.found(end).argmax())
    survivors = {0: (best,), end: (best,)}
    return _result(curves, "oracle", end, "test_accuracy", survivors, {best: end})


def most_parameters(curves: Curves, end: int) -> HalvingResult:
    """Train only the sub-supernet whose architectures have the most parameters on average.

    It is chosen before any training, by the optional column parameters of the curves; in a tie it
    is the first in tree order.
    """
    chosen = int(np.nan_to_num(curves.column("parameters"), nan=-1.0).max(axis=1).argmax())
    trained = dict.fromkeys(range(len(curves.sub_spaces)), 0) | {chosen: end}
    survivors = {0: (chosen,), end: (chosen,)}
    return _result(curves, "most_parameters", end, "parameters", survivors, trained)


def random_sub_supernet(curves: Curves, end: int) -> HalvingResult:
    """Train one random sub-supernet, all equally likely: accuracy and regret are expected values.

    Under a limit of the cost, they are of those that find a feasible architecture. The result has
    no winner.
    """
    return _result(curves, "one_at_random", end, "", {}, {})


def _select(
    curves: Curves,
    strategy: str,
    milestones: Iterable[int],
    kept: Callable[[int], int],
    end: int | None,
    rank_by: str,
    window: int,
) -> HalvingResult:
    """Keep at each milestone as many as ``kept`` of the number remaining, and one at the end."""
    last = checked_end(curves, end)
    RANKINGS.get(rank_by)
    remaining = tuple(range(len(curves.sub_spaces)))
    trained = dict.fromkeys(remaining, last)
    survivors: dict[int, tuple[int, ...]] = {}
    ties: list[Tie] = []
    previous = -1
    for epoch in [*_checked_milestones(milestones, last), last]:
        count = 1 if epoch == last else kept(len(remaining))
        left = remaining
        if count < len(remaining):
            scores = rank_scores(curves, remaining, epoch, previous, rank_by, window)
            left, tie = _best(curves, remaining, scores, count, epoch)
            sign = -1 if rank_by == "valid_loss" else 1
            ties += [replace(one, value=sign * one.value) for one in tie]
        trained |= dict.fromkeys(set(remaining) - set(left), epoch)
        survivors[epoch] = remaining = left
        previous = epoch
    return _result(curves, strategy, last, rank_by, survivors, trained, tuple(ties))


def _checked_milestones(milestones: Iterable[int], end: int) -> list[int]:
    """Check and sort milestones, without the end."""
    epochs = sorted(operator.index(epoch) for epoch in milestones)
    for epoch in epochs:
        if not 0 <= epoch <= end:
            raise SelectionError(f"expected milestones from epoch 0 to {end}, got {epoch}")
        if epochs.count(epoch) > 1:
            raise SelectionError(f"expected every milestone once, got {epoch} twice")
    return [epoch for epoch in epochs if epoch < end]


def _best(
    curves: Curves, remaining: tuple[int, ...], scores: list[float], count: int, epoch: int
) -> tuple[tuple[int, ...], list[Tie]]:
    """Find the positions that rank highest, in tree order, and the tie that was broken."""
    feasible = curves.feasible_at(epoch)
    keys = [(not feasible[i], -score) for i, score in zip(remaining, scores, strict=True)]
    order = sorted(range(len(remaining)), key=lambda place: (keys[place], place))
    left = tuple(sorted(remaining[place] for place in order[:count]))
    last = keys[order[count - 1]]
    if keys[order[count]] != last:
        return left, []
    tied = [i for i, key in zip(remaining, keys, strict=True) if key == last]
    kept = tuple(curves.sub_spaces[i] for i in tied if i in left)
    discarded = tuple(curves.sub_spaces[i] for i in tied if i not in left)
    return left, [Tie(epoch, -last[1], kept, discarded)]


def _result(
    curves: Curves,
    strategy: str,
    end: int,
    rank_by: str,
    survivors: Mapping[int, tuple[int, ...]],
    trained: Mapping[int, int],
    ties: tuple[Tie, ...] = (),
) -> HalvingResult:
    """Look up what the winner found, and what the best sub-supernet would have found.

    There are no survivors for a random choice; ``trained`` leaves out positions that were not.
    """
    found: Floats = curves.found(end)
    [winner] = survivors.get(end, (None,))
    ceiling = float(found.max())
    equally_best = tuple(i for i, value in enumerate(found) if value == ceiling)
    best = max(equally_best, key=lambda i: (i == winner, trained.get(i, 0), -i))
    accuracy = float(found[found > -np.inf].mean() if winner is None else found[winner])
    accuracy = accuracy if accuracy > -np.inf else np.nan  # the winner's is infeasible
    names = curves.sub_spaces
    return HalvingResult(
        strategy=strategy,
        sub_spaces=names,
        end=end,
        rank_by=rank_by,
        survivors={epoch: tuple(names[i] for i in left) for epoch, left in survivors.items()},
        trained={names[i]: trained[i] for i in sorted(trained)},
        winner=None if winner is None else names[winner],
        architecture=None if winner is None else curves.architecture(winner, end),
        test_accuracy=accuracy,
        cost=1.0 if winner is None else sum(trained.values()) / end,
        ceiling=ceiling,
        regret=float(np.maximum(0.0, ceiling - accuracy)),
        best=names[best],
        equally_best=tuple(names[i] for i in equally_best),
        discarded_at=trained[best] if trained.get(best, end) < end else None,
        ties=ties,
        unit=curves.unit,
        valid_unit=curves.valid_unit,
    )


def verdict(result: HalvingResult) -> str:
    """Summarise the choice, its regret and cost, and the ties that were broken."""
    return " ".join([_finding(result), *(_tie_text(result, tie) for tie in result.ties)])


def cost_text(cost: float) -> str:
    """Format a cost in full runs: "2.5 runs"."""
    number = f"{cost:.1f}".removesuffix(".0")
    return "1 run" if number == "1" else f"{number} runs"


def regret_text(regret: float, unit: str = PERCENT, deviation: float | None = None) -> str:
    """Format a regret: "0.31 ± 0.02 points" of percentages, else with the unit of scores."""
    if np.isnan(regret):
        return "–"
    form, name = (".2f", "points") if unit == PERCENT else (".4g", unit)
    spread = "" if deviation is None else f" ± {deviation:{form}}"
    return f"{regret:{form}}{spread} {name}"


def result_document(result: HalvingResult) -> dict[str, object]:
    """Convert a result to plain values for JSON, with its verdict."""
    document = asdict(result)
    del document["sub_spaces"], document["trained"]
    document |= {
        "rank_by": result.rank_by or None,
        "milestones": result.milestones,
        "verdict": verdict(result),
    }
    if np.isnan(result.regret):
        document |= {"test_accuracy": None, "regret": None}
    plain: dict[str, object] = json.loads(json.dumps(document))
    return plain


def _finding(result: HalvingResult) -> str:
    found, best = _texts(result.test_accuracy, result.ceiling, result.unit)
    cost = cost_text(result.cost)
    if result.winner is None:
        return (
            f"One sub-supernet at random finds {found} on average, best {best} ({result.best}), "
            f"cost {cost}."
        )
    start = f"Found {found} ({result.winner}), "
    if np.isnan(result.regret):
        start = f"Found only an architecture beyond the limit of the cost ({result.winner}), "
    if not result.regret:
        others = [name for name in result.equally_best if name != result.winner]
        also = f", tied with {listed(others)}" if others else ""
        known = " if it were known in advance" if result.strategy == "oracle" else ""
        return f"{start}the best of all{also}, cost {cost}{known}."
    if result.discarded_at is not None:
        outcome = f"was discarded at epoch {result.discarded_at}"
    elif any(result.best in tie.discarded for tie in result.ties if tie.epoch == result.end):
        outcome = f"was trained to the end but not chosen: it tied with {result.winner}"
    else:
        outcome = (
            f"was trained to the end but not chosen: {result.winner} was ahead by "
            f"{RANKINGS.get(result.rank_by).label}"
        )
    return f"{start}best {best} ({result.best}) {outcome}, cost {cost}."


def _tie_text(result: HalvingResult, tie: Tie) -> str:
    by = RANKINGS.get(result.rank_by)
    loss = by.name == "valid_loss"
    value = f"{tie.value:.2f}" if loss else score_text(tie.value, result.valid_unit)
    place = "the end" if tie.epoch == result.end else f"epoch {tie.epoch}"
    tied = listed([*tie.kept, *tie.discarded])
    verb = "was" if len(tie.kept) == 1 else "were"
    return (
        f"At {place} {tied} were tied in {by.label} ({value}): {listed(tie.kept)} "
        f"{verb} kept as the first in order."
    )


def _texts(found: float, best: float, unit: str) -> tuple[str, str]:
    """Format two scores with as many digits as distinguish them, at least as everywhere."""
    for more in range(_MOST_DIGITS - 1):
        texts = score_text(found, unit, more), score_text(best, unit, more)
        if found == best or texts[0] != texts[1]:
            break
    return texts


def listed(names: Sequence[str]) -> str:
    """Join names by commas and an "and"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
