"""Section 4.3: whether validation accuracy selects the sub-supernet that finds the best."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import comb

import numpy as np
import pandas as pd

from fewshot_core.reproduction.claims import (
    Claim,
    Evidence,
    Judgement,
    Mean,
    Tally,
    Verdict,
)
from fewshot_core.reproduction.evidence import Material, SearchedSplit
from fewshot_core.selection import (
    PAPER_END,
    PAPER_MILESTONES,
    Choice,
    HalvingResult,
    leaders,
    paper_milestones,
    proxy_correlation,
    random_kendall_interval,
    read_frame,
    successive_halving,
)

USEFUL = 0.5
"""The Kendall tau from which validation accuracy is called a proxy: 3 of 4 pairs in order."""

_TAUS = -1.0, 1.0


class Replay:
    """Selection by validation accuracy, replayed on the searches of a split.

    Attributes:
        milestones: The paper's in proportion, as is the default of the Halving page.
        result: The result of successive halving at these milestones.
        leader: The choice by validation accuracy at the end, when all are trained.
        random_regret: The expected regret of training one at random, in percentage points.
        lost_at_random: The probability that random discarding loses all that find the best.
        correlation: Kendall's tau and Spearman's rho of the validation accuracy with the final
            result, by epoch.
    """

    def __init__(self, cell: SearchedSplit) -> None:
        self.cell = cell
        self.curves = read_frame(cell.curves)
        self.milestones = paper_milestones(self.curves)
        self.result = Choice(milestones=self.milestones).apply(self.curves)
        self.leader = successive_halving(cell.curves, ())
        self.random_regret = Choice("one_at_random").apply(self.curves).regret
        self.correlation = proxy_correlation(cell.curves).set_index("epoch")
        total, best = len(self.result.sub_spaces), len(self.result.equally_best)
        left = [len(self.result.survivors[epoch]) for epoch in self.result.milestones] or [total]
        self.lost_at_random = comb(total - best, left[-1]) / comb(total, left[-1])

    def rank(self, result: HalvingResult) -> str:
        """The rank of a chosen sub-supernet by what all of them found: "1 of 8" is the best."""
        found = self.cell.found
        return f"{int((found > result.test_accuracy).sum()) + 1} of {len(found)}"

    def wrong_epochs(self) -> tuple[float, float]:
        """The share of epochs at which the leader has not found the best; that of a random one."""
        trained = self.cell.curves[self.cell.curves["epoch"] >= 1]
        led = leaders(trained).set_index("epoch")["test_accuracy"]
        found = trained.pivot(index="epoch", columns="sub_space", values="test_accuracy")
        best = found.max(axis=1)
        equal = found.eq(best, axis=0).mean(axis=1)
        return float((led < best.loc[led.index]).mean()), float((1 - equal).mean())


def schedules(replay: Replay) -> dict[str, Choice]:
    """List the schedules to compare, by name; those that the curves allow."""
    usual = replay.milestones
    as_printed = tuple(epoch for epoch in PAPER_MILESTONES if epoch < replay.cell.end)
    epochs = set(replay.cell.curves["epoch"])
    found = {"halving at the paper's milestones in proportion": Choice(milestones=usual)}
    if as_printed and as_printed != usual and set(as_printed) <= epochs:
        found["halving at the paper's epochs as they are"] = Choice(milestones=as_printed)
    found["the same in proportion, ranked as by GM-NAS"] = Choice(
        milestones=usual, rank_by="exponential_average"
    )
    if 0 in epochs:
        found["the best one at epoch 0 (few-shot NAS)"] = Choice("top_k", k=1, epoch=0)
    found["train all, choose by validation accuracy"] = Choice()
    found["one at random, expected"] = Choice("one_at_random")
    found["train all, take the best found"] = Choice("train_all")
    return found


def _searching_command(material: Material) -> str:
    """The searches of Section 4.3, in a recorded split by gradientmatching if there is one."""
    runs = [s.run_id for s in material.splits if s.metric == "gradientmatching" and s.run_id]
    return (
        f"fewshot search --split {runs[0] if runs else 'RUN'} --algorithm snas --preset paper "
        "--set epochs=600 --seeds 777,888,999"
    )


_Finding = tuple[str, Judgement, tuple[str, ...]]


def _measure(
    material: Material, evaluator: Callable[[Sequence[Replay]], _Finding]
) -> Iterator[Evidence]:
    """Judge the searched splits of each kind of searches."""
    for kind, cells in material.searched_by_kind().items():
        names = ", ".join(dict.fromkeys(cell.name for cell in cells))
        seeds = ", ".join(map(str, sorted({cell.seed for cell in cells})))
        pairs = "pair" if len(cells) == 1 else "pairs"
        text = (
            f"{len(cells)} {pairs} of searched split and seed on {kind.dataset} "
            f"({names}; {'seeds' if ',' in seeds else 'seed'} {seeds})"
        )
        finding = evaluator([Replay(cell) for cell in cells])
        yield Evidence(*finding, material.search_source(text, cells))


def _chosen(one: Replay, result: HalvingResult) -> str:
    return (
        f"{one.cell.label} | {result.winner} | {result.test_accuracy:.2f} | {one.rank(result)} | "
        f"{result.ceiling:.2f} | {result.regret:.2f} | {result.cost:.2f}"
    )


_CHOSEN = (
    "metric | seed | chosen | it found, % | rank | best found, % | regret, points | cost, runs"
)


def _at_the_end(found: Sequence[Replay]) -> _Finding:
    tally = Tally.count(one.leader.regret > 0 for one in found)
    regret = Mean.over([one.leader.regret for one in found])
    measured = f"Not the best in {tally}; mean regret of the leader {regret} points."
    return measured, tally.judgement, (_CHOSEN, *(_chosen(one, one.leader) for one in found))


def _most_epochs(found: Sequence[Replay]) -> _Finding:
    shares = [one.wrong_epochs() for one in found]
    tally = Tally.count(wrong > 0.5 for wrong, _ in shares)
    wrong, random = np.mean(shares, axis=0)
    rows = (
        f"{one.cell.label} | {leader:.0%} | {drawn:.0%}"
        for one, (leader, drawn) in zip(found, shares, strict=True)
    )
    measured = (
        f"At most epochs in {tally}; overall at {wrong:.0%} of the epochs, against {random:.0%} "
        "for a random choice."
    )
    headings = "metric | seed | epochs with another best | for one drawn at random"
    return measured, tally.judgement, (headings, *rows)


def _correlated(found: Sequence[Replay]) -> _Finding:
    rows = (_tau_row(epoch, found) for epoch in _shown_epochs(found))
    table = ("epoch | mean tau | interval | lowest | highest | mean rho", *rows)
    last = _at("kendall", max(one.cell.end for one in found), found)
    if not last:
        reason = "in every searched split all sub-supernets found the same"
        return "No correlation is defined.", Judgement(Verdict.UNKNOWN, reason), table
    mean = Mean.over(last, _TAUS)
    count = len(found[0].cell.found)
    limit = random_kendall_interval(count)
    random = (
        ""
        if limit is None
        else f" Two random orders of {count} reach {limit:.2f} in absolute value with a "
        "probability of at most 5%."
    )
    return f"Tau at the end: {mean}.{random}", mean.below(USEFUL), table


def _at(name: str, epoch: int, found: Sequence[Replay]) -> list[float]:
    values = [one.correlation[name].get(epoch) for one in found]
    return [float(value) for value in values if pd.notna(value)]


def _tau_row(epoch: int, found: Sequence[Replay]) -> str:
    values, rhos = _at("kendall", epoch, found), _at("spearman", epoch, found)
    if not values:
        return " | ".join([str(epoch), *["–"] * 5])
    mean = Mean.over(values, _TAUS)
    interval = "{:.2f} to {:.2f}".format(*mean.interval) if mean.interval else "–"
    ends = f"{min(values):.2f} | {max(values):.2f}"
    return f"{epoch} | {mean.value:.2f} | {interval} | {ends} | {np.mean(rhos):.2f}"


def _shown_epochs(found: Sequence[Replay]) -> list[int]:
    """The first epoch, the milestones, quarters and the end, as far as all have them."""
    shared = set.intersection(*(set(one.correlation.index) for one in found))
    end = max(shared)
    wanted = {0, end, *(end * quarter // 4 for quarter in range(1, 4))}
    wanted = wanted.union(*(one.milestones for one in found))
    return [int(epoch) for epoch in sorted(wanted & shared)]


def _early(found: Sequence[Replay]) -> _Finding:
    pairs = []
    for one in found:
        taus = one.correlation["kendall"]
        if one.milestones and taus.loc[[one.milestones[0], one.cell.end]].notna().all():
            pairs.append((one, float(taus[one.milestones[0]]), float(taus[one.cell.end])))
    if not pairs:
        reason = "no searched split has a tau at both epochs"
        return "Nothing to compare.", Judgement(Verdict.UNKNOWN, reason), ()
    tally = Tally.count(early < late for _, early, late in pairs)
    change = Mean.over([late - early for _, early, late in pairs])
    rows = (
        f"{one.cell.label} | {one.milestones[0]} | {early:.2f} | {late:.2f}"
        for one, early, late in pairs
    )
    measured = f"Lower in {tally}; from there to the end tau changes by {change}."
    headings = "metric | seed | first milestone | tau there | tau at the end"
    return measured, tally.judgement, (headings, *rows)


def _discarding(found: Sequence[Replay]) -> _Finding:
    tally = Tally.count(one.result.discarded_at is not None for one in found)
    random = sum(one.lost_at_random for one in found) / len(found)
    measured = f"Discarded in {tally}; random discarding loses the best in {random:.0%}."
    headings = "metric | seed | milestones | best | discarded | at random"
    return measured, tally.judgement, (headings, *map(_discarding_row, found))


def _discarding_row(one: Replay) -> str:
    milestones = ", ".join(map(str, one.result.milestones)) or "none"
    epoch = one.result.discarded_at
    return (
        f"{one.cell.label} | {milestones} | {', '.join(one.result.equally_best)} | "
        f"{'kept' if epoch is None else f'epoch {epoch}'} | {one.lost_at_random:.0%}"
    )


def _degrading(found: Sequence[Replay]) -> _Finding:
    tally = Tally.count(one.result.regret > 0 for one in found)
    regret = Mean.over([one.result.regret for one in found])
    cost = np.mean([one.result.cost for one in found])
    measured = (
        f"Worse in {tally}; mean regret {regret} points at a cost of {cost:.2f} runs instead of "
        f"{len(found[0].result.sub_spaces)}."
    )
    return measured, tally.judgement, (_CHOSEN, *(_chosen(one, one.result) for one in found))


def _against_random(found: Sequence[Replay]) -> _Finding:
    gain = Mean.over([one.random_regret - one.result.regret for one in found])
    names = dict.fromkeys(name for one in found for name in schedules(one))
    measured = f"The regret of halving is lower than that of one at random by {gain} points."
    headings = (
        "schedule | searched splits | cost, runs | mean regret, points | less than random by | "
        "loses the best"
    )
    return measured, gain.above(0.0), (headings, *(_schedule_row(name, found) for name in names))


def _schedule_row(name: str, found: Sequence[Replay]) -> str:
    able = [(one, schedules(one)[name]) for one in found if name in schedules(one)]
    results = [(one, choice.apply(one.curves)) for one, choice in able]
    gain = Mean.over([one.random_regret - result.regret for one, result in results])
    cost, regret = (np.mean([getattr(r, n) for _, r in results]) for n in ("cost", "regret"))
    lost = sum(result.regret > 0 for _, result in results)
    expected = any(result.winner is None for _, result in results)
    last = "– | –" if expected else f"{gain} | {lost} of {len(results)}"
    return f"{name} | {len(results)} | {cost:.2f} | {regret:.2f} | {last}"


def _claim(
    title: str,
    section: str,
    statement: str,
    rule: str,
    evaluator: Callable[[Sequence[Replay]], _Finding],
) -> Claim:
    return Claim(
        title, section, statement, rule, partial(_measure, evaluator=evaluator), _searching_command
    )


PROXY_CLAIMS = (
    _claim(
        "At the end, the leader by validation accuracy is not the best sub-supernet",
        "4.3, Figures 4 to 8",
        "After the last epoch, the sub-supernet with the highest validation accuracy is not the "
        "one that finds the best architecture.",
        "A case is a searched split with a seed; it counts if another sub-supernet found a better "
        "architecture than the leader did. Share rule. (One of eight drawn at random is not the "
        "best in 7 of 8 cases.)",
        _at_the_end,
    ),
    _claim(
        "For most of the training the leader is not the best",
        "4.3, Figure 4 (left)",
        "At most epochs, the sub-supernet with the highest validation accuracy is not the one that "
        "finds the best architecture at that epoch.",
        "A case is a searched split with a seed; it counts if this is so at more than half of the "
        "epochs from 1 on. Share rule.",
        _most_epochs,
    ),
    _claim(
        "Validation accuracy is no suitable proxy",
        "4.3",
        "The validation accuracy of sub-supernets does not predict the quality of the "
        "architectures that they find.",
        "Kendall's tau between the validation accuracies and the accuracies of the architectures "
        "found, both at the end, one for each searched split and seed. The claim holds if "
        f"Student's 95% interval of the mean lies below {USEFUL:g} (three of four pairs in order), "
        "does not hold if it lies above, and is inconclusive otherwise.",
        _correlated,
    ),
    _claim(
        "Validation accuracy is worst as a proxy early in training",
        "4.3, Figure 4 (right)",
        "Supernet accuracy is especially inaccurate as a proxy in the early stages.",
        "A case is a searched split with a seed; it counts if Kendall's tau with the final result "
        "is lower at the first milestone than at the end. Share rule.",
        _early,
    ),
)

HALVING_CLAIMS = (
    _claim(
        "Successive halving discards the best sub-supernet early",
        "4.3, Figure 4 (right)",
        "If the lower half by validation accuracy is discarded at epochs 30 and 100 of 600, the "
        "sub-space with the best architecture is lost early.",
        f"Milestones at {PAPER_MILESTONES[0]}/{PAPER_END} and {PAPER_MILESTONES[1]}/{PAPER_END} of "
        "the recorded epochs (the default of the Halving page and of `fewshot halve`). A case is a "
        "searched split with a seed; it counts if every sub-supernet that finds the best was "
        "discarded before the end. Share rule. (At random, a single best one of eight is discarded "
        "in 6 of 8 cases.)",
        _discarding,
    ),
    _claim(
        "Selection by validation accuracy degrades what is found",
        "4.3",
        "A sub-supernet chosen by validation accuracy finds less than all of them together.",
        "The same schedule. A case is a searched split with a seed; it counts if the chosen "
        "architecture is worse than the best that any sub-supernet found. Share rule.",
        _degrading,
    ),
    _claim(
        "Halving by validation accuracy is better than one at random",
        "beyond the paper",
        "The paper leaves open: halving costs 2.5 runs, and training one sub-supernet at random "
        "costs one; is halving worth it?",
        "For each searched split and seed, the expected regret of one at random minus that of "
        "halving, in percentage points. The claim holds if Student's 95% interval of the mean lies "
        "above 0, does not hold if it lies below, and is inconclusive otherwise.",
        _against_random,
    ),
)
