"""Section 4.3: does the validation accuracy of sub-supernets tell which one finds the best?"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from fewshot_core.reproduction.claims import Claim, Evidence, Grid, Verdict
from fewshot_core.reproduction.material import Material, SearchedSplit, SearchKind
from fewshot_core.reproduction.orderings import Ordering, ordering
from fewshot_core.reproduction.rules import Mean, Tally
from fewshot_core.selection import paper_milestones, random_kendall_interval, read_frame

_TAUS = -1.0, 1.0

USEFUL = 0.5
"""A Kendall tau from which on validation accuracy is called a proxy: 3 of 4 pairs in order."""


class OfSearches(Protocol):
    """Something that was found in the searches of a split."""

    @property
    def cell(self) -> SearchedSplit:
        """The searches."""


_Judge = Callable[[Material, SearchKind, list[Ordering]], Evidence]


def proxy_claims(material: Material) -> list[Claim]:
    """Return the claims on validation accuracy as a proxy."""
    kinds = [
        (kind, [ordering(cell) for cell in material.searched_by(kind)]) for kind in material.kinds()
    ]

    def each(evaluator: _Judge) -> tuple[Evidence, ...]:
        return tuple(evaluator(material, kind, found) for kind, found in kinds)

    return [
        Claim(
            "At the end, the leader by validation accuracy is not the best sub-supernet",
            "4.3, Figures 4 to 8",
            "After the last epoch the sub-supernet with the highest validation accuracy is not the "
            "one that finds the best architecture.",
            "A case is a searched split with a seed; it counts where another sub-supernet found a "
            "better architecture than the leader did. Share rule. (One of eight drawn at random "
            "is not the best in 7 of 8 cases.)",
            each(_at_the_end),
            searching_command(material),
        ),
        Claim(
            "For most of the training the leader is not the best",
            "4.3, Figure 4 (left)",
            "At most epochs the sub-supernet with the highest validation accuracy is not the one "
            "that finds the best architecture then.",
            "A case is a searched split with a seed; it counts where that is so at more than half "
            "of the epochs from 1 on. Share rule.",
            each(_most_epochs),
            searching_command(material),
        ),
        Claim(
            "Validation accuracy is no suitable proxy",
            "4.3",
            "The validation accuracy of sub-supernets does not tell how good the architectures are "
            "that they find.",
            "Kendall's tau between the validation accuracies at the end and the accuracies of what "
            "is found at the end, one for each searched split and seed. It holds where Student's "
            f"95% interval of the mean lies below {USEFUL:g} (three of four pairs in order), does "
            "not hold where it lies above, and cannot be told in between.",
            each(_correlated),
            searching_command(material),
        ),
        Claim(
            "Validation accuracy is worst as a proxy early in training",
            "4.3, Figure 4 (right)",
            "Supernet accuracy is especially inaccurate as a proxy in the early stages.",
            "A case is a searched split with a seed; it counts where Kendall's tau with what is "
            "found at the end is lower at the first milestone than at the end. Share rule.",
            each(_early),
            searching_command(material),
        ),
    ]


def searching_command(material: Material) -> str:
    """Return what searches the sub-spaces of a split by gradientmatching, as Section 4.3 does."""
    runs = [s.run_id for s in material.splits if s.metric == "gradientmatching" and s.run_id]
    run = runs[0] if runs else "RUN"
    return (
        f"fewshot search --split {run} --algorithm snas --preset paper --set epochs=600 "
        "--seeds 777,888,999"
    )


def _searched_material(kind: SearchKind, cells: Sequence[SearchedSplit]) -> str:
    """Return which searched splits there are, in words."""
    names = ", ".join(dict.fromkeys(cell.name for cell in cells))
    seeds = ", ".join(map(str, sorted({cell.seed for cell in cells})))
    word = "seed" if len({cell.seed for cell in cells}) == 1 else "seeds"
    pairs = "pair" if len(cells) == 1 else "pairs"
    of = f"{names}; {word} {seeds}"
    return f"{len(cells)} {pairs} of searched split and seed on {kind.dataset} ({of})"


def _searched_runs(cells: Sequence[SearchedSplit]) -> tuple[str, ...]:
    """Return the searches, each once."""
    return tuple(dict.fromkeys(run for cell in cells for run in cell.runs))


def searched_evidence(
    material: Material,
    kind: SearchKind,
    found: Sequence[OfSearches],
    measured: str,
    verdict: tuple[Verdict, str],
    grid: Grid,
) -> Evidence:
    """Return what was found in searched splits, with which ones they are and their scale."""
    cells = [one.cell for one in found]
    return Evidence(
        _searched_material(kind, cells),
        material.search_scale(kind),
        measured,
        *verdict,
        grid,
        _searched_runs(cells),
    )


def _at_the_end(material: Material, kind: SearchKind, found: list[Ordering]) -> Evidence:
    tally = Tally.count(one.misses for one in found)
    lost = Mean.over([one.cell.best - one.leader_found for one in found])
    lines = tuple(
        (
            one.cell.name,
            str(one.cell.seed),
            one.leader,
            f"{one.leader_found:.2f}",
            f"{int((one.cell.found > one.leader_found).sum()) + 1} of {len(one.cell.found)}",
            f"{one.cell.best:.2f}",
            f"{one.cell.best - one.leader_found:.2f}",
        )
        for one in found
    )
    headings = ("metric", "seed", "leader", "it found, %", "rank", "best found, %", "lost, points")
    measured = f"So in {tally.text}; the leader loses {lost.text()} points."
    verdict = (tally.verdict, tally.reason)
    return searched_evidence(material, kind, found, measured, verdict, Grid(headings, lines))


def _most_epochs(material: Material, kind: SearchKind, found: list[Ordering]) -> Evidence:
    tally = Tally.count(one.wrong > 0.5 for one in found)
    lines = tuple(
        (one.cell.name, str(one.cell.seed), f"{one.wrong:.0%}", f"{one.wrong_by_chance:.0%}")
        for one in found
    )
    headings = ("metric", "seed", "epochs with another best", "for one drawn at random")
    measured = (
        f"So in {tally.text}; over all, at {np.mean([one.wrong for one in found]):.0%} of the "
        f"epochs, where a random choice is at "
        f"{np.mean([one.wrong_by_chance for one in found]):.0%}."
    )
    verdict = (tally.verdict, tally.reason)
    return searched_evidence(material, kind, found, measured, verdict, Grid(headings, lines))


def _correlated(material: Material, kind: SearchKind, found: list[Ordering]) -> Evidence:
    taus = pd.concat([one.tau for one in found], axis=1).sort_index()
    rhos = pd.concat([one.rho for one in found], axis=1).sort_index()
    grid = Grid(
        ("epoch", "mean tau", "interval", "least", "most", "mean rho"),
        tuple(_tau_line(epoch, taus, rhos) for epoch in _shown_epochs(found)),
    )
    last = taus.iloc[-1].dropna()
    if last.empty:
        unknown = (Verdict.UNKNOWN, "in every searched split all found the same")
        return searched_evidence(material, kind, found, "No correlation is defined.", unknown, grid)
    mean = Mean.over(last.tolist(), _TAUS)
    count = len(found[0].cell.found)
    limit = random_kendall_interval(count)
    chance = (
        ""
        if limit is None
        else f" Two random orders of {count} reach {limit:.2f} in absolute value with a "
        "probability of at most 5%."
    )
    measured = f"Tau at the end: {mean.text()}.{chance}"
    verdict = (mean.below(USEFUL), mean.reason(USEFUL))
    return searched_evidence(material, kind, found, measured, verdict, grid)


def _tau_line(epoch: int, taus: pd.DataFrame, rhos: pd.DataFrame) -> tuple[str, ...]:
    values, others = (frame.T[epoch].dropna().tolist() for frame in (taus, rhos))
    if not values:
        return (str(epoch), *["–"] * 5)
    mean = Mean.over(values, _TAUS)
    low, high = mean.interval or (None, None)
    return (
        str(epoch),
        f"{mean.value:.2f}",
        "–" if low is None or high is None else f"{low:.2f} to {high:.2f}",
        f"{min(values):.2f}",
        f"{max(values):.2f}",
        f"{np.mean(others):.2f}",
    )


def _shown_epochs(found: Sequence[Ordering]) -> list[int]:
    """Return the first epoch, the milestones, quarters and the end, as far as all have them."""
    shared = set.intersection(*(set(one.tau.index) for one in found))
    end = max(shared)
    wanted = {0, end, *(end * quarter // 4 for quarter in range(1, 4))}
    for one in found:
        wanted |= set(paper_milestones(read_frame(one.cell.curves)))
    return [int(epoch) for epoch in sorted(wanted & shared)]


def _early(material: Material, kind: SearchKind, found: list[Ordering]) -> Evidence:
    pairs = []
    for one in found:
        first = one.first_milestone
        if first is not None and one.tau.loc[[first, one.cell.end]].notna().all():
            pairs.append((one, first, float(one.tau[first]), float(one.tau[one.cell.end])))
    tally = Tally.count(early < late for _, _, early, late in pairs)
    lines = tuple(
        (one.cell.name, str(one.cell.seed), str(first), f"{early:.2f}", f"{late:.2f}")
        for one, first, early, late in pairs
    )
    grid = Grid(("metric", "seed", "first milestone", "tau there", "tau at the end"), lines)
    if not pairs:
        unknown = (Verdict.UNKNOWN, "no searched split has a tau at both epochs")
        return searched_evidence(material, kind, found, "Nothing to compare.", unknown, grid)
    change = Mean.over([late - early for _, _, early, late in pairs])
    measured = f"Lower in {tally.text}; from there to the end tau changes by {change.text()}."
    verdict = (tally.verdict, tally.reason)
    return searched_evidence(material, kind, found, measured, verdict, grid)
