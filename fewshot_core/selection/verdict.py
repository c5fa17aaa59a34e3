"""What a selection came to, in words with its numbers."""

from fewshot_core.selection.halving import HalvingResult, Tie
from fewshot_core.selection.rankings import RANKINGS

_MOST_DIGITS = 6


def verdict(result: HalvingResult) -> str:
    """Return what was chosen, what was lost and what it cost, and where a tie was broken."""
    return " ".join([_finding(result), *(_tie_text(result, tie) for tie in result.ties)])


def cost_text(cost: float) -> str:
    """Return a cost in full runs: "2.5 runs"."""
    number = f"{cost:.1f}".removesuffix(".0")
    return "1 run" if number == "1" else f"{number} runs"


def result_document(result: HalvingResult) -> dict[str, object]:
    """Return a result as plain values for JSON, with its verdict; what there is not is None."""
    return {
        "strategy": result.strategy,
        "rank_by": result.rank_by or None,
        "end": result.end,
        "milestones": list(result.milestones),
        "survivors": {str(epoch): list(left) for epoch, left in result.survivors.items()},
        "winner": result.winner,
        "architecture": result.architecture,
        "test_accuracy": result.test_accuracy,
        "cost": result.cost,
        "ceiling": result.ceiling,
        "regret": result.regret,
        "best": result.best,
        "equally_best": list(result.equally_best),
        "discarded_at": result.discarded_at,
        "ties": [
            {
                "epoch": tie.epoch,
                "value": tie.value,
                "kept": list(tie.kept),
                "discarded": list(tie.discarded),
            }
            for tie in result.ties
        ],
        "verdict": verdict(result),
    }


def _finding(result: HalvingResult) -> str:
    found, best = _percentages(result.test_accuracy, result.ceiling)
    cost = cost_text(result.cost)
    if result.winner is None:
        return (
            f"One sub-supernet at random finds {found} on average, best {best} ({result.best}), "
            f"cost {cost}."
        )
    start = f"Found {found} ({result.winner}), "
    if not result.regret:
        others = [name for name in result.equally_best if name != result.winner]
        also = f", as {_listed(others)} would have" if others else ""
        known = " if it had been known beforehand" if result.strategy == "oracle" else ""
        return f"{start}the best there is to find{also}, cost {cost}{known}."
    if result.discarded_at is not None:
        return (
            f"{start}best {best} ({result.best}) was discarded at epoch {result.discarded_at}, "
            f"cost {cost}."
        )
    return (
        f"{start}best {best} ({result.best}) was trained to the end but "
        f"{_why_not(result)}, cost {cost}."
    )


def _why_not(result: HalvingResult) -> str:
    """Return why the best was not chosen at the end."""
    at_end = [tie for tie in result.ties if tie.epoch == result.end]
    if any(result.best in tie.discarded for tie in at_end):
        return f"not chosen: it tied with {result.winner}"
    return f"not chosen: {result.winner} was ahead by {RANKINGS.get(result.rank_by).label}"


def _tie_text(result: HalvingResult, tie: Tie) -> str:
    by = RANKINGS.get(result.rank_by)
    unit = "" if by.name == "valid_loss" else "%"
    place = "the end" if tie.epoch == result.end else f"epoch {tie.epoch}"
    equal = _listed([*tie.kept, *tie.discarded])
    verb = "was" if len(tie.kept) == 1 else "were"
    return (
        f"At {place} {equal} were exactly equal in {by.label} ({tie.value:.2f}{unit}): "
        f"{_listed(tie.kept)} {verb} kept only for coming first."
    )


def _percentages(found: float, best: float) -> tuple[str, str]:
    """Return two accuracies with as many digits as tell them apart, two at least."""
    for digits in range(2, _MOST_DIGITS + 1):
        texts = f"{found:.{digits}f}%", f"{best:.{digits}f}%"
        if found == best or texts[0] != texts[1]:
            break
    return texts


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
