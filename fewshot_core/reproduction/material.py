"""The material of claims: splits and searched splits in groups, with the numbers of each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from itertools import chain
from math import comb
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fewshot_core.analysis import SplitEvaluator, describe_sub_spaces, top_threshold
from fewshot_core.analysis.sub_spaces import leaf_numbers
from fewshot_core.evidence import Evidence, group_by_evidence
from fewshot_core.selection import (
    PAPER_MILESTONES,
    Choice,
    HalvingResult,
    leaders,
    paper_milestones,
    proxy_correlation,
    read_frame,
)
from fewshot_core.selection.rankings import rank_correlations
from fewshot_core.space import ARCHITECTURE_COUNT, EDGES, OPERATIONS, SubSpace
from fewshot_core.splitting import TreeOptions

RANDOM = "random"
"""The metric that groups operations at random."""

_SKIP = OPERATIONS.index("skip_connect")

MOST_PARAMETERS = "the one with the most parameters, before training"
HALVING = "halving at the paper's milestones in proportion"
TRAIN_ALL = "train all, choose by validation accuracy"
ONE_AT_RANDOM = "one at random, expected"

Row = dict[str, object]
"""The cells of a table's row, by heading."""


@dataclass(frozen=True, eq=False)
class Accuracies:
    """The validation or test accuracies of one data set, as ``load_accuracy`` returns them."""

    dataset: str
    kind: str
    table: str
    fingerprint: str
    evaluator: SplitEvaluator

    @property
    def text(self) -> str:
        """The kind of accuracy and the table, in words."""
        return f"{self.kind} accuracy, table {self.table}"

    def facts(self) -> Row:
        """What the table says without any run: the top 1%, the best tree, random trees."""
        frame = self.evaluator.accuracy
        values = frame["accuracy_mean"].to_numpy()
        baseline = self.evaluator.baseline(TreeOptions())
        tops = describe_sub_spaces(baseline.best.leaves, frame)["top_count"]
        low, high = np.quantile(baseline.gains, [0.05, 0.95])
        skips = SubSpace(((_SKIP,),) * len(EDGES)).architecture_indices()
        all_skip = frame[frame["architecture"].isin(skips)]["accuracy_mean"].max()
        return {
            "data set": self.dataset,
            "accuracies": f"{self.kind}, {self.table}",
            "best": f"{np.nanmax(values):.4f}",
            "all-skip": f"{all_skip:.4f}",
            "top 1% from": f"{top_threshold(values):.4f}",
            "top 1%": tops.sum(),
            "best tree, bits": f"{baseline.best.gain_bits:.4f}",
            "its top 1% by sub-space": ", ".join(map(str, tops)),
            "random trees: mean, 5% to 95%, bits": (
                f"{baseline.gains.mean():.4f}, {low:.4f} to {high:.4f}"
            ),
        }


@dataclass(frozen=True)
class Split:
    """A split and how it was made; a published one has no run and no evidence.

    Attributes:
        seeds: Seeds of the metric, the batch and the weights; empty if unknown.
        ties: The number of nodes whose grouping is an arbitrary choice; None if unknown.
        float32_ties: The number if scores are rounded to float32; None if unknown.
        evidence: What it rests on, but for the data set, with the options of its tree.
        batch: The images of the metric and the mode of batch norm in words; empty without images.
    """

    metric: str
    dataset: str
    leaves: tuple[SubSpace, ...]
    run_id: str = ""
    seeds: tuple[int, ...] = ()
    ties: int | None = None
    evidence: Evidence | None = None
    batch: str = ""
    float32_ties: int | None = None

    @property
    def runs(self) -> tuple[str, ...]:
        """Its run, if it was not imported."""
        return () if self.run_id.startswith("file-") or not self.run_id else (self.run_id,)

    def numbers(self, evaluator: SplitEvaluator) -> dict[str, Any]:
        """Compute what its sub-spaces contain.

        Returns:
            Among others, shape (see ``extreme_shares``), for_most (the smallest number of
            sub-spaces with nine tenths of the top 1%), tau (Kendall's, of sizes and counts of the
            top; NaN if one is constant) and top_in_largest (the most of the top in one of the
            largest size, as a share).
        """
        counts = leaf_numbers(self.leaves, evaluator.accuracy)
        sizes, tops = counts.size, counts.top
        largest = float(sizes.max() / ARCHITECTURE_COUNT)
        middle = sum(extreme_shares(self.leaves)) / 2
        top_in_largest = int(tops[sizes == sizes.max()].max())
        return {
            "metric": self.metric,
            "dataset": self.dataset,
            "seeds": self.seeds,
            "seed": str(self.seeds),
            "ties": self.ties,
            "random": self.metric == RANDOM,
            "runs": self.runs,
            "sizes": tuple(sizes.tolist()),
            "largest": largest,
            "shape": "imbalanced" if largest > middle else "balanced",
            "tops": tuple(tops.tolist()),
            "with_top": int((tops > 0).sum()),
            "for_most": int(np.argmax(np.cumsum(np.sort(tops)[::-1]) >= 0.9 * tops.sum())) + 1,
            "richest": float(tops.max() / tops.sum()),
            "tau": float(rank_correlations(sizes[:, None].astype(float), tops.astype(float))[0][0]),
            "top_in_largest": top_in_largest / tops.sum(),
            "largest_has_most": bool(top_in_largest == tops.max()),
        }


def split_parts(splits: Iterable[Split]) -> Iterator[tuple[Evidence, str, list[Split]]]:
    """Yield splits that may be counted together, with their evidence and batch.

    Those without images belong to every group of their network; those without evidence to none.
    """
    known = [(split, split.evidence) for split in splits if split.evidence]
    for evidence, inside in group_by_evidence(known).items():
        for batch in dict.fromkeys(split.batch for split in inside if split.batch) or [""]:
            yield evidence, batch, [split for split in inside if split.batch in (batch, "")]


def extreme_shares(leaves: Iterable[SubSpace]) -> tuple[float, float]:
    """Compute the share of the largest sub-space of a balanced and of an imbalanced split.

    All its groupings are even, or set one operation apart.
    """
    count = len(OPERATIONS)
    enabled = np.array([[len(edge) for edge in leaf.enabled] for leaf in leaves])
    edges = int((enabled < count).any(axis=0).sum())
    return ((count + 1) // 2 / count) ** edges, ((count - 1) / count) ** edges


class SearchKind(NamedTuple):
    """What searches that may be counted together have in common; see ``Store.searches``.

    ``name`` is the algorithm with its protocol, ``scale`` all that they rest on. They are not
    conclusive if they are a smoke test.
    """

    dataset: str
    algorithm: str
    family: str
    name: str
    scale: str
    command: str
    conclusive: bool = True


@dataclass(frozen=True, eq=False)
class SearchedSplit:
    """Searches of one kind and seed in all sub-spaces of a split, or in the whole space.

    Attributes:
        metrics: The metrics that give this split.
        curves: Columns sub_space, epoch, valid_accuracy, test_accuracy (that of the architecture
            found, percent, from the accuracy table), and parameters (the mean in the sub-space)
            where they are known.
    """

    metrics: tuple[str, ...]
    kind: SearchKind
    seed: int
    curves: pd.DataFrame
    runs: tuple[str, ...]

    @property
    def end(self) -> int:
        """The last epoch."""
        return int(self.curves["epoch"].max())

    @property
    def found(self) -> "pd.Series[float]":
        """The accuracy of the architecture each sub-supernet found at the end, percent."""
        last = self.curves[self.curves["epoch"] == self.end]
        return last.set_index("sub_space")["test_accuracy"]

    def numbers(self, whole: "SearchedSplit | None" = None) -> dict[str, Any]:
        """Compute what was found, and replay selection by validation accuracy.

        Returns:
            Among others, gain (of the best found over the search in the whole space), wrong (share
            of the epochs at which the leader by validation accuracy has not found the best) and
            drawn (that of a random one), taus (Kendall's tau and Spearman's rho with the final
            result, by epoch), early and late (tau at the first milestone and at the end), schedules
            (the results of ways to select, by name) and lost_at_random (the probability that random
            discarding loses all that find the best).
        """
        found, best = self.found, float(self.found.max())
        alone = float(whole.found.max()) if whole else np.nan
        schedules = self._schedules()
        halving, leader = schedules[HALVING], schedules[TRAIN_ALL]
        lost_at = halving.discarded_at
        taus = proxy_correlation(self.curves).set_index("epoch")
        first = halving.milestones[0] if halving.milestones else None
        early, late = (taus["kendall"].reindex([epoch]).iloc[0] for epoch in (first, self.end))
        total, equal = len(found), len(halving.equally_best)
        left = [len(halving.survivors[epoch]) for epoch in halving.milestones] or [total]
        wrong, drawn = self._wrong_epochs()
        return {
            **self.kind._asdict(),
            "metric": ", ".join(self.metrics),
            "seed": self.seed,
            "random": any(name.split()[0] == RANDOM for name in self.metrics),
            "runs": self.runs,
            "whole_runs": whole.runs if whole else (),
            "count": total,
            "best": best,
            "best_in": tuple(found.index[found == best]),
            "whole": alone,
            "gain": best - alone,
            "mean": found.mean(),
            "lowest": found.min(),
            "schedules": schedules,
            "curves": self.curves,
            "leader": leader,
            "leader_rank": int((found > leader.test_accuracy).sum()) + 1,
            "leader_regret": leader.regret,
            "wrong": wrong,
            "drawn": drawn,
            "taus": taus,
            "early": early,
            "late": late,
            "milestones": halving.milestones,
            "halving": halving,
            "halving_rank": int((found > halving.test_accuracy).sum()) + 1,
            "regret": halving.regret,
            "cost": halving.cost,
            "random_regret": schedules[ONE_AT_RANDOM].regret,
            "discarded": "kept" if lost_at is None else f"epoch {lost_at}",
            "lost_at_random": comb(total - equal, left[-1]) / comb(total, left[-1]),
        }

    def _wrong_epochs(self) -> tuple[float, float]:
        trained = self.curves[self.curves["epoch"] >= 1]
        led = leaders(trained).set_index("epoch")["test_accuracy"]
        found = trained.pivot(index="epoch", columns="sub_space", values="test_accuracy")
        best = found.max(axis=1)
        equal = found.eq(best, axis=0).mean(axis=1)
        return float((led < best.loc[led.index]).mean()), float((1 - equal).mean())

    def _schedules(self) -> dict[str, HalvingResult]:
        """Apply the ways to select that the curves allow."""
        curves = read_frame(self.curves)
        usual = paper_milestones(curves)
        as_printed = tuple(epoch for epoch in PAPER_MILESTONES if epoch < self.end)
        epochs = set(self.curves["epoch"])
        choices = {HALVING: Choice(milestones=usual)}
        if as_printed and as_printed != usual and set(as_printed) <= epochs:
            choices["halving at the paper's epochs as they are"] = Choice(milestones=as_printed)
        choices["the same in proportion, ranked as by GM-NAS"] = Choice(
            milestones=usual, rank_by="exponential_average"
        )
        if 0 in epochs:
            choices["the best one at epoch 0 (few-shot NAS)"] = Choice("top_k", k=1, epoch=0)
        choices |= {
            TRAIN_ALL: Choice(),
            ONE_AT_RANDOM: Choice("one_at_random"),
            "train all, take the best found": Choice("train_all"),
        }
        if "parameters" in curves.values:
            choices[MOST_PARAMETERS] = Choice("most_parameters")
        return {name: choice.apply(curves) for name, choice in choices.items()}


@dataclass(frozen=True, eq=False)
class Group:
    """Cases that may be counted together.

    Attributes:
        title: Their number and origin: "12 recorded splits".
        scale: The scale of all of them, in words.
        cases: Their numbers, a row for each; see ``Split.numbers`` and ``SearchedSplit.numbers``.
        tables: The names of the tables on the page that show them.
        conclusive: Whether they are no smoke test, which the app shows without a verdict.
        secondary: Whether there is stronger evidence of the same, so that a page folds their
            numbers.
    """

    title: str
    scale: str
    cases: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"runs": []}))
    tables: tuple[str, ...] = ()
    conclusive: bool = True
    secondary: bool = False

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs of all cases."""
        return tuple(dict.fromkeys(chain.from_iterable(self.cases.get("runs", ()))))

    @property
    def key(self) -> str:
        """A short name of exactly these runs, for addresses."""
        return sha256(" ".join(sorted(self.runs)).encode()).hexdigest()[:10]

    @property
    def measured(self) -> bool:
        """Whether they rest on runs, or on tables of accuracies alone."""
        return bool(self.runs) or "table" in self.cases

    def part(self, chosen: "pd.Series[bool]", text: str = "") -> "Group":
        """Select some of the cases; the text is added to the title."""
        cases = self.cases[chosen]
        some = f"{len(cases)} of the " if len(cases) < len(self.cases) else ""
        return replace(self, title=f"{some}{self.title}{text}", cases=cases)


@dataclass(frozen=True, eq=False)
class Material:
    """The evidence of all claims: accuracies by data set, splits, and finished searches.

    ``searched`` are splits with a search in every sub-space, ``whole`` searches in the whole space;
    ``incomplete`` describes those that do not cover all sub-spaces, by scale. ``across``,
    ``bounds`` and ``estimates`` are what the functions of ``fewshot_core.reproduction.reading``
    return.
    """

    accuracies: Mapping[str, Accuracies]
    splits: tuple[Split, ...] = ()
    published: tuple[Split, ...] = ()
    searched: tuple[SearchedSplit, ...] = ()
    whole: tuple[SearchedSplit, ...] = ()
    incomplete: Mapping[str, Sequence[str]] = field(default_factory=dict)
    across: pd.DataFrame = field(default_factory=pd.DataFrame)
    bounds: pd.DataFrame = field(default_factory=pd.DataFrame)
    estimates: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def split_groups(self) -> list[Group]:
        """The recorded splits by evidence and batch, and the published ones, with accuracies."""
        parts = []
        found = list(
            split_parts(split for split in self.splits if split.dataset in self.accuracies)
        )
        scales = [" · ".join(filter(None, [one.label, batch])) for one, batch, _ in found]
        own = differences(scales)
        for (evidence, _, splits), scale in zip(found, scales, strict=True):
            seeds = seeds_text(chain.from_iterable(split.seeds for split in splits))
            title = ", ".join([count_text(splits, "recorded split"), *own[scale]])
            parts.append((title, f"{scale} · {seeds}", splits, evidence.conclusive))
        published = [split for split in self.published if split.dataset in self.accuracies]
        if published:
            title = count_text(published, "published split")
            parts.append((title, "as published", published, True))
        groups = []
        for number, (title, scale, splits, conclusive) in enumerate(parts, start=1):
            tables = dict.fromkeys(self.accuracies[split.dataset].text for split in splits)
            rows = [split.numbers(self.accuracies[split.dataset].evaluator) for split in splits]
            names, scale = (f"Splits {number}",), "; ".join([scale, *tables])
            groups.append(Group(title, scale, pd.DataFrame(rows), names, conclusive))
        return groups

    @cached_property
    def search_groups(self) -> list[Group]:
        """The searched splits by the kind of their searches."""
        whole = {(one.kind, one.seed): one for one in self.whole}
        kinds = dict.fromkeys(one.kind for one in self.searched)
        differing = differences(kind.scale for kind in kinds)
        groups = []
        for number, kind in enumerate(kinds, start=1):
            cells = [cell for cell in self.searched if cell.kind == kind]
            frame = pd.DataFrame(cell.numbers(whole.get((kind, cell.seed))) for cell in cells)
            title = f"{count_text(cells, 'searched split')} on {kind.dataset}, {kind.name}"
            others = [part for part in differing[kind.scale] if part not in kind.name]
            title = ", ".join([title, *others])
            names = ", ".join(frame["metric"].unique())
            own = f"{kind.scale} ({names}; {seeds_text(frame['seed'])})"
            scale = f"{own}; {self.accuracies[kind.dataset].text}"
            tables = (f"Searches {number}",)
            groups.append(Group(title, scale, frame, tables, kind.conclusive))
        return groups

    def commands(self) -> dict[str, str]:
        """Build the commands of missing searches: in the whole space, and as in Section 4.3."""
        paper = "--algorithm snas --preset paper"
        whole = f"fewshot search --no-splitting {paper} --seeds 777,888,999"
        runs = [s.run_id for s in self.splits if s.metric == "gradientmatching" and s.run_id]
        split = f"fewshot search --split {runs[0] if runs else 'RUN'} {paper}"
        return {
            "whole": self.searched[0].kind.command if self.searched else whole,
            "searches": f"{split} --set epochs=600 --seeds 777,888,999",
        }


def seeds_text(seeds: Iterable[int]) -> str:
    """Name the distinct seeds: "seeds 0, 1, 2"."""
    known = sorted(set(seeds))
    return f"seed{'s' * (len(known) > 1)} {', '.join(map(str, known))}"


def differences(labels: Iterable[str]) -> dict[str, list[str]]:
    """Return the parts that distinguish each of several evidence labels: trained, batch of 16.

    What those have in common that have anything in common with the first one is left out.
    """
    parts = {label: label.split(" · ") for label in labels}
    first = set(next(iter(parts.values()), []))
    common = first.intersection(*(own for own in parts.values() if first.intersection(own)))
    return {label: [part for part in own if part not in common] for label, own in parts.items()}


def count_text(things: Sized, noun: str) -> str:
    """Count things: "1 split", "2 splits"."""
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"
