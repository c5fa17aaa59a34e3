"""From who was trained for how long to what it cost and what was lost."""

from collections.abc import Mapping

from fewshot_core.selection.curves import Curves
from fewshot_core.selection.result import HalvingResult, Tie


def judge(
    curves: Curves,
    strategy: str,
    end: int,
    rank_by: str,
    survivors: Mapping[int, tuple[int, ...]],
    trained: Mapping[int, int],
    ties: tuple[Tie, ...] = (),
) -> HalvingResult:
    """Look up what the winner found, and what the best sub-supernet would have found.

    Args:
        curves: The curves, with a test accuracy for every sub-space at the end.
        strategy: The name of the strategy.
        end: The epoch at which a full run ends.
        rank_by: What was ranked by.
        survivors: Positions of those left after each milestone, and of the winner at ``end``.
        trained: To which epoch each position was trained; without those that were not.
        ties: Where the choice was arbitrary.

    Raises:
        SelectionError: If a sub-space has no test accuracy at the end.
    """
    found = curves.at("test_accuracy", end)
    (winner,) = survivors[end]
    ceiling = float(found.max())
    equally_best = tuple(i for i, value in enumerate(found) if value == ceiling)
    best = max(equally_best, key=lambda i: (i == winner, trained.get(i, 0), -i))
    names = curves.sub_spaces
    return HalvingResult(
        strategy=strategy,
        sub_spaces=names,
        end=end,
        rank_by=rank_by,
        survivors={epoch: tuple(names[i] for i in left) for epoch, left in survivors.items()},
        trained={names[i]: trained[i] for i in sorted(trained)},
        winner=names[winner],
        architecture=curves.architecture(winner, end),
        test_accuracy=float(found[winner]),
        cost=sum(trained.values()) / end,
        ceiling=ceiling,
        regret=ceiling - float(found[winner]),
        best=names[best],
        equally_best=tuple(names[i] for i in equally_best),
        discarded_at=trained[best] if trained.get(best, end) < end else None,
        ties=ties,
    )
