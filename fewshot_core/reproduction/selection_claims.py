"""Section 4.3: whether validation accuracy selects the sub-supernet that finds the best."""

from collections.abc import Iterator, Sequence
from functools import partial
from math import comb

import numpy as np
import pandas as pd

from fewshot_core.reproduction.claims import Claim, Decision, Finding, Mean, Row, Tally, Verdict
from fewshot_core.reproduction.evidence import Material, SearchedSplit, Source
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

    def row(self, result: HalvingResult) -> Row:
        """Describe a choice."""
        return self.cell.row | {
            "chosen": result.winner,
            "it found, %": f"{result.test_accuracy:.2f}",
            "rank": self.rank(result),
            "best found, %": f"{result.ceiling:.2f}",
            "regret, points": f"{result.regret:.2f}",
            "cost, runs": f"{result.cost:.2f}",
        }

    def wrong_epochs(self) -> tuple[float, float]:
        """The share of epochs at which the leader has not found the best; that of a random one."""
        trained = self.cell.curves[self.cell.curves["epoch"] >= 1]
        led = leaders(trained).set_index("epoch")["test_accuracy"]
        found = trained.pivot(index="epoch", columns="sub_space", values="test_accuracy")
        best = found.max(axis=1)
        equal = found.eq(best, axis=0).mean(axis=1)
        return float((led < best.loc[led.index]).mean()), float((1 - equal).mean())

    def schedules(self) -> dict[str, Choice]:
        """List the schedules to compare, by name; those that the curves allow."""
        usual = self.milestones
        as_printed = tuple(epoch for epoch in PAPER_MILESTONES if epoch < self.cell.end)
        epochs = set(self.cell.curves["epoch"])
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


def _replays(material: Material) -> Iterator[tuple[list[Replay], Source]]:
    """Replay the searched splits of each kind of searches."""
    for kind, cells in material.searched_by_kind().items():
        names = ", ".join(dict.fromkeys(cell.name for cell in cells))
        seeds = ", ".join(map(str, sorted({cell.seed for cell in cells})))
        pairs = "pair" if len(cells) == 1 else "pairs"
        text = (
            f"{len(cells)} {pairs} of searched split and seed on {kind.dataset} "
            f"({names}; {'seeds' if ',' in seeds else 'seed'} {seeds})"
        )
        yield [Replay(cell) for cell in cells], material.search_source(text, cells)


def _at_the_end(found: Sequence[Replay]) -> Finding:
    tally = Tally.count(one.leader.regret > 0 for one in found)
    regret = Mean.over([one.leader.regret for one in found])
    measured = f"Not the best in {tally}; mean regret of the leader {regret} points."
    return Finding(measured, tally.decision, [one.row(one.leader) for one in found])


def _most_epochs(found: Sequence[Replay]) -> Finding:
    shares = [one.wrong_epochs() for one in found]
    tally = Tally.count(wrong > 0.5 for wrong, _ in shares)
    wrong, random = np.mean(shares, axis=0)
    measured = (
        f"At most epochs in {tally}; overall at {wrong:.0%} of the epochs, against {random:.0%} "
        "for a random choice."
    )
    rows = [
        one.cell.row
        | {"epochs with another best": f"{leader:.0%}", "for one drawn at random": f"{drawn:.0%}"}
        for one, (leader, drawn) in zip(found, shares, strict=True)
    ]
    return Finding(measured, tally.decision, rows)


def _correlated(found: Sequence[Replay]) -> Finding:
    joined = pd.concat([one.correlation for one in found])
    rows = [_tau_row(epoch, joined.loc[[epoch]].dropna()) for epoch in _shown_epochs(found)]
    last = joined.loc[[max(one.cell.end for one in found)], "kendall"].dropna()
    if last.empty:
        reason = "in every searched split all sub-supernets found the same"
        return Finding("No correlation is defined.", Decision(Verdict.UNKNOWN, reason), rows)
    mean = Mean.over(last.to_list(), (-1, 1))
    measured = f"Tau at the end: {mean}."
    count = len(found[0].cell.found)
    limit = random_kendall_interval(count)
    if limit is not None:
        measured += (
            f" Two random orders of {count} reach {limit:.2f} in absolute value with a "
            "probability of at most 5%."
        )
    return Finding(measured, mean.compare(USEFUL, holds_above=False), rows)


def _tau_row(epoch: int, correlations: pd.DataFrame) -> Row:
    taus = correlations["kendall"]
    mean = Mean.over(taus.to_list(), (-1, 1)) if len(taus) else None
    return {
        "epoch": epoch,
        "mean tau": f"{mean.value:.2f}" if mean else "–",
        "interval": mean.ends() if mean else "–",
        "lowest": f"{taus.min():.2f}" if mean else "–",
        "highest": f"{taus.max():.2f}" if mean else "–",
        "mean rho": f"{correlations['spearman'].mean():.2f}" if mean else "–",
    }


def _shown_epochs(found: Sequence[Replay]) -> list[int]:
    """The first epoch, the milestones, quarters and the end, as far as all have them."""
    shared = set.intersection(*(set(one.correlation.index) for one in found))
    end = max(shared)
    quarters = {end * quarter // 4 for quarter in range(5)}
    return sorted(quarters.union(*(one.milestones for one in found)) & shared)


def _early(found: Sequence[Replay]) -> Finding:
    rows, changes = [], []
    for one in found:
        taus = one.correlation["kendall"]
        if one.milestones and taus.loc[[one.milestones[0], one.cell.end]].notna().all():
            early, late = taus[one.milestones[0]], taus[one.cell.end]
            changes.append(late - early)
            there = {"first milestone": one.milestones[0], "tau there": f"{early:.2f}"}
            rows.append(one.cell.row | there | {"tau at the end": f"{late:.2f}"})
    if not rows:
        reason = "no searched split has a tau at both epochs"
        return Finding("Nothing to compare.", Decision(Verdict.UNKNOWN, reason), rows)
    tally = Tally.count(change > 0 for change in changes)
    measured = f"Lower in {tally}; from there to the end tau changes by {Mean.over(changes)}."
    return Finding(measured, tally.decision, rows)


def _discarding(found: Sequence[Replay]) -> Finding:
    tally = Tally.count(one.result.discarded_at is not None for one in found)
    random = sum(one.lost_at_random for one in found) / len(found)
    measured = f"Discarded in {tally}; random discarding loses the best in {random:.0%}."
    rows = []
    for one in found:
        epoch = one.result.discarded_at
        cells = {
            "milestones": ", ".join(map(str, one.result.milestones)) or "none",
            "best": ", ".join(one.result.equally_best),
            "discarded": "kept" if epoch is None else f"epoch {epoch}",
            "at random": f"{one.lost_at_random:.0%}",
        }
        rows.append(one.cell.row | cells)
    return Finding(measured, tally.decision, rows)


def _degrading(found: Sequence[Replay]) -> Finding:
    tally = Tally.count(one.result.regret > 0 for one in found)
    regret = Mean.over([one.result.regret for one in found])
    cost = np.mean([one.result.cost for one in found])
    measured = (
        f"Worse in {tally}; mean regret {regret} points at a cost of {cost:.2f} runs instead of "
        f"{len(found[0].result.sub_spaces)}."
    )
    return Finding(measured, tally.decision, [one.row(one.result) for one in found])


def _against_random(found: Sequence[Replay]) -> Finding:
    gain = Mean.over([one.random_regret - one.result.regret for one in found])
    names = dict.fromkeys(name for one in found for name in one.schedules())
    measured = f"The regret of halving is lower than that of one at random by {gain} points."
    return Finding(measured, gain.compare(0.0), [_schedule_row(name, found) for name in names])


def _schedule_row(name: str, found: Sequence[Replay]) -> Row:
    able = [(one, one.schedules()[name]) for one in found if name in one.schedules()]
    results = [(one, choice.apply(one.curves)) for one, choice in able]
    gain = Mean.over([one.random_regret - result.regret for one, result in results])
    lost = sum(result.regret > 0 for _, result in results)
    expected = any(result.winner is None for _, result in results)
    return {
        "schedule": name,
        "searched splits": len(results),
        "cost, runs": f"{np.mean([result.cost for _, result in results]):.2f}",
        "mean regret, points": f"{np.mean([result.regret for _, result in results]):.2f}",
        "less than random by": "–" if expected else gain,
        "loses the best": "–" if expected else f"{lost} of {len(results)}",
    }


_claim = partial(Claim, cases=_replays, command="{searches}")

PROXY_CLAIMS = (
    _claim(
        "At the end, the leader by validation accuracy is not the best sub-supernet",
        "4.3, Figures 4 to 8",
        "After the last epoch, the sub-supernet with the highest validation accuracy is not the "
        "one that finds the best architecture.",
        "A case is a searched split with a seed; it counts if another sub-supernet found a better "
        "architecture than the leader did. Share rule. (One of eight drawn at random is not the "
        "best in 7 of 8 cases.)",
        evaluate=_at_the_end,
    ),
    _claim(
        "For most of the training the leader is not the best",
        "4.3, Figure 4 (left)",
        "At most epochs, the sub-supernet with the highest validation accuracy is not the one that "
        "finds the best architecture at that epoch.",
        "A case is a searched split with a seed; it counts if this is so at more than half of the "
        "epochs from 1 on. Share rule.",
        evaluate=_most_epochs,
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
        evaluate=_correlated,
    ),
    _claim(
        "Validation accuracy is worst as a proxy early in training",
        "4.3, Figure 4 (right)",
        "Supernet accuracy is especially inaccurate as a proxy in the early stages.",
        "A case is a searched split with a seed; it counts if Kendall's tau with the final result "
        "is lower at the first milestone than at the end. Share rule.",
        evaluate=_early,
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
        evaluate=_discarding,
    ),
    _claim(
        "Selection by validation accuracy degrades what is found",
        "4.3",
        "A sub-supernet chosen by validation accuracy finds less than all of them together.",
        "The same schedule. A case is a searched split with a seed; it counts if the chosen "
        "architecture is worse than the best that any sub-supernet found. Share rule.",
        evaluate=_degrading,
    ),
    _claim(
        "Halving by validation accuracy is better than one at random",
        "beyond the paper",
        "The paper leaves open: halving costs 2.5 runs, and training one sub-supernet at random "
        "costs one; is halving worth it?",
        "For each searched split and seed, the expected regret of one at random minus that of "
        "halving, in percentage points. The claim holds if Student's 95% interval of the mean lies "
        "above 0, does not hold if it lies below, and is inconclusive otherwise.",
        evaluate=_against_random,
    ),
)
