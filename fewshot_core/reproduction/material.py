"""What claims are judged on: accuracy tables, splits, and searches in their sub-spaces."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.space import SubSpace

RANDOM = "random"
"""The metric that groups operations by chance."""


@dataclass(frozen=True, eq=False)
class Accuracies:
    """The accuracies of one data set.

    Attributes:
        dataset: The data set.
        kind: ``"validation"`` or ``"test"``.
        table: The table's name.
        fingerprint: SHA-256 of what the table was read from.
        frame: Columns architecture (index) and accuracy_mean (percent).
        judge: Who says what a split tells about the top 1%.
    """

    dataset: str
    kind: str
    table: str
    fingerprint: str
    frame: pd.DataFrame
    evaluator: SplitEvaluator


@dataclass(frozen=True)
class Split:
    """A split, with how it was made.

    Attributes:
        metric: What decided, with variant and batch norm where they are not the default.
        dataset: The data set.
        leaves: The sub-spaces, in tree order.
        run_id: The run, or an empty text for a published one.
        network: The network and the tree in words, without seeds.
        images: The images in words, or None where the metric looks at none.
        seeds: Seeds of the metric, the batch and the weights; empty where they are not known.
        arbitrary: How many nodes were decided by a tie; None where that is not known.
    """

    metric: str
    dataset: str
    leaves: tuple[SubSpace, ...]
    run_id: str = ""
    network: str = ""
    images: str | None = None
    seeds: tuple[int, ...] = ()
    arbitrary: int | None = None

    @property
    def seed_text(self) -> str:
        """The seeds, as one number where they are the same; a dash where they are not known."""
        return ", ".join(map(str, sorted(set(self.seeds)))) or "–"


@dataclass(frozen=True)
class SplitGroup:
    """Splits that may be counted together: of one network and tree, on images of one kind.

    Attributes:
        origin: "recorded" or "published".
        scale: Their scale in words.
        splits: The splits.
    """

    origin: str
    scale: str
    splits: tuple[Split, ...]

    @property
    def material(self) -> str:
        """What they are: "12 recorded splits"."""
        return f"{len(self.splits)} {self.origin} splits"

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs, without those that are not known."""
        return tuple(split.run_id for split in self.splits if split.run_id)


@dataclass(frozen=True)
class SearchKind:
    """What searches have in common that may be counted together.

    Attributes:
        dataset: The data set.
        algorithm: The algorithm's name.
        family: What differs by nothing but sub-space and seed; see ``Store.searches``.
        scale: Network, images and epochs in words.
        command: The command that searches the whole space in the same way, without a seed.
    """

    dataset: str
    algorithm: str
    family: str
    scale: str
    command: str


@dataclass(frozen=True, eq=False)
class SearchedSplit:
    """Searches of one kind and seed in all sub-spaces of a split.

    Attributes:
        metrics: The metrics that give this split, one or several.
        kind: What the searches have in common.
        seed: Their seed.
        curves: Columns sub_space, epoch, valid_accuracy, test_accuracy (that of the architecture
            found, percent, as the table has it) and what else was recorded.
        runs: The searches.
    """

    metrics: tuple[str, ...]
    kind: SearchKind
    seed: int
    curves: pd.DataFrame
    runs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The metrics in words."""
        return ", ".join(self.metrics)

    @property
    def end(self) -> int:
        """The last epoch."""
        return int(self.curves["epoch"].max())

    @property
    def found(self) -> "pd.Series[float]":
        """What each sub-supernet found at the end, percent, by sub-space."""
        last = self.curves[self.curves["epoch"] == self.end]
        return last.set_index("sub_space")["test_accuracy"]

    @property
    def best(self) -> float:
        """The best accuracy found by any of them, percent."""
        return float(self.found.max())


@dataclass(frozen=True)
class WholeSearch:
    """A search in the whole space.

    Attributes:
        kind: Its kind.
        seed: Its seed.
        found: The accuracy of what it found at the end, percent.
        run_id: The search.
    """

    kind: SearchKind
    seed: int
    found: float
    run_id: str


@dataclass(frozen=True, eq=False)
class Material:
    """All there is to judge claims on.

    Attributes:
        accuracies: Accuracies by data set.
        splits: Recorded splits.
        published: Splits from a file of published ones.
        searched: Splits in whose sub-spaces all searches are finished.
        whole: Searches in the whole space.
        incomplete: In words, searches that are not of all sub-spaces yet.
    """

    accuracies: Mapping[str, Accuracies]
    splits: tuple[Split, ...] = ()
    published: tuple[Split, ...] = ()
    searched: tuple[SearchedSplit, ...] = ()
    whole: tuple[WholeSearch, ...] = ()
    incomplete: tuple[str, ...] = field(default=())

    def groups(self) -> list[SplitGroup]:
        """Return recorded splits by scale, and published ones; only those with accuracies.

        Splits by a metric that looks at no images belong to every group of their network.
        """
        known = [split for split in self.splits if split.dataset in self.accuracies]
        pairs = [(split.network, split.images) for split in known]
        looking = {network for network, images in pairs if images is not None}
        keys = dict.fromkeys(
            pair for pair in pairs if pair[1] is not None or pair[0] not in looking
        )
        groups = [self._recorded(known, network, images) for network, images in keys]
        published = tuple(split for split in self.published if split.dataset in self.accuracies)
        if published:
            scale = f"as published, {self.accuracy_text(published)}"
            groups.append(SplitGroup("published", scale, published))
        return groups

    def accuracy_text(self, splits: tuple[Split, ...]) -> str:
        """Return which accuracies count for some splits."""
        sets = dict.fromkeys(split.dataset for split in splits)
        return "; ".join(dict.fromkeys(accuracy_text(self.accuracies[name]) for name in sets))

    def kinds(self) -> list[SearchKind]:
        """Return the kinds of searches there are in all sub-spaces of some split."""
        return list(dict.fromkeys(cell.kind for cell in self.searched))

    def searched_by(self, kind: SearchKind) -> list[SearchedSplit]:
        """Return the searched splits of a kind."""
        return [cell for cell in self.searched if cell.kind == kind]

    def search_scale(self, kind: SearchKind) -> str:
        """Return the scale of searches and which accuracies count for what they found."""
        return f"{kind.scale}; {accuracy_text(self.accuracies[kind.dataset])}"

    def _recorded(self, known: list[Split], network: str, images: str | None) -> SplitGroup:
        inside = tuple(
            split for split in known if split.network == network and split.images in (images, None)
        )
        seeds = {split.seeds for split in inside}
        many = "one seed for each metric" if _once(inside) else f"{len(seeds)} sets of seeds"
        parts = (network, images, many, self.accuracy_text(inside))
        scale = "; ".join(part for part in parts if part)
        return SplitGroup("recorded", scale, inside)


def accuracy_text(accuracies: Accuracies) -> str:
    """Return which accuracies count, in words."""
    return f"{accuracies.kind} accuracy, table {accuracies.table}"


def _once(splits: tuple[Split, ...]) -> bool:
    """Whether no metric but chance has more than one split of a data set."""
    names = [(split.metric, split.dataset) for split in splits if split.metric != RANDOM]
    return len(set(names)) == len(names)
