"""How the numbers of a split depend on random seeds: of training, and of the split itself."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from fewshot_core.analysis.informativeness import SplitEvaluator, keep_k, report_frame
from fewshot_core.analysis.sub_spaces import top_mask
from fewshot_core.errors import TableError
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitNode, SplitTree

DRAWS = 100
"""How many tables are resampled."""


def seed_tables(seeds: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Return one table of accuracies for each seed that every architecture was trained with.

    A seed that only some architectures have is left out: a table without the others would have
    another top. A table that does not know its seeds numbers the trainings of each architecture
    from 0; such a number is then an order and no seed, but each architecture's training is one of
    its own all the same.

    Args:
        seeds: Columns architecture (index), seed and accuracy (percent), one row for each training;
            see ``fewshot_core.bench.load_seeds``.

    Returns:
        By seed: columns architecture and accuracy_mean (percent). Empty where no seed is complete.
    """
    known = seeds.dropna(subset=["accuracy"])
    everyone = known["architecture"].nunique()
    return {
        int(str(seed)): _table(rows["architecture"], rows["accuracy"])
        for seed, rows in known.groupby("seed")
        if rows["architecture"].nunique() == everyone
    }


def resampled_tables(
    seeds: pd.DataFrame, draws: int = DRAWS, seed: int = 0
) -> Iterator[pd.DataFrame]:
    """Yield tables in which each architecture has the accuracy of one of its trainings.

    Which one is drawn anew for each architecture and table, each training with the same
    probability. That is what somebody knows who has trained every architecture once, and it uses
    all trainings, also of seeds that not every architecture has.

    Args:
        seeds: As for ``seed_tables``.
        draws: How many tables.
        seed: The seed of the draws.

    Yields:
        Columns architecture and accuracy_mean (percent), all architectures of ``seeds``.
    """
    known = seeds.dropna(subset=["accuracy"]).sort_values(["architecture", "seed"])
    architectures, first, count = np.unique(
        known["architecture"].to_numpy(), return_index=True, return_counts=True
    )
    accuracy = known["accuracy"].to_numpy(dtype=np.float64)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        yield _table(architectures, accuracy[first + generator.integers(count)])


def seed_values(
    leaves: Sequence[SubSpace], tables: Iterable[pd.DataFrame], threshold: float = 0.01
) -> pd.DataFrame:
    """Return the numbers of a split in each of several tables.

    Args:
        leaves: Sub-spaces that cover every architecture of the tables.
        tables: Columns architecture (index) and accuracy_mean (percent).
        threshold: The share of the architectures that counts as top.

    Returns:
        One row for each table: gain_bits; best_bits, share_of_best and percentile (missing where
        the split has no shape; see ``BaselineComparison``); gini; optimum_in_best_mean (0 or 1).
    """
    names = ["gain_bits", "best_bits", "share_of_best", "percentile", "gini"]
    frames = [report_frame({"": leaves}, SplitEvaluator(table, threshold)) for table in tables]
    empty = pd.DataFrame(columns=[*names, "optimum_in_best_mean"])
    values = pd.concat(frames, ignore_index=True) if frames else empty
    return values[list(empty)].astype("float64")


def seed_uncertainty(
    leaves: Sequence[SubSpace],
    seeds: pd.DataFrame,
    threshold: float = 0.01,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how much the numbers of a split vary with the seeds of the trainings.

    They are numbers of single trainings, whose noise blurs the top. They lie around what one
    training tells, and not around the number of a table of means.

    Args:
        leaves: Sub-spaces that cover every architecture.
        seeds: As for ``seed_tables``.
        threshold: The share of the architectures that counts as top.
        draws: How many tables are resampled.
        seed: The seed of the draws.

    Returns:
        Columns source ("seed": the tables of complete seeds; "resampled": see
        ``resampled_tables``), quantity (a column of ``seed_values``), tables (their number), mean,
        std (sample deviation over tables; missing for one table), min and max. The mean of
        optimum_in_best_mean is the share of tables where it holds.

    Raises:
        TableError: If there is no training.
    """
    if seeds["accuracy"].notna().sum() == 0:
        raise TableError("expected accuracies by seed, got none; choose a table that has them")
    sources: Mapping[str, Iterable[pd.DataFrame]] = {
        "seed": seed_tables(seeds).values(),
        "resampled": resampled_tables(seeds, draws, seed),
    }
    frames = []
    for source, tables in sources.items():
        values = seed_values(leaves, tables, threshold)
        summary = values.agg(["mean", "std", "min", "max"]).T.rename_axis("quantity").reset_index()
        summary.insert(0, "source", source)
        summary.insert(2, "tables", len(values))
        frames.append(summary[summary["tables"] > 0])
    return pd.concat(frames, ignore_index=True)


def seed_keep_k(
    leaves: Sequence[SubSpace], seeds: pd.DataFrame, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Return how much the regrets of ``keep_k`` vary with the seeds of the trainings.

    Args:
        leaves: Sub-spaces that cover every architecture.
        seeds: As for ``seed_tables``.
        draws: How many tables are resampled; see ``resampled_tables``.
        seed: The seed of the draws.

    Returns:
        Columns k, strategy, and mean, std, min and max of the regret over tables (percentage
        points).
    """
    kept = [keep_k(leaves, table) for table in resampled_tables(seeds, draws, seed)]
    grouped = pd.concat(kept).groupby(["k", "strategy"], sort=False)["regret"]
    return grouped.agg(["mean", "std", "min", "max"]).reset_index()


def top_frequency(
    seeds: pd.DataFrame, threshold: float = 0.01, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Return how often architectures are in the top when each is trained once.

    Args:
        seeds: As for ``seed_tables``.
        threshold: The share of the architectures that counts as top.
        draws: How many tables are resampled; see ``resampled_tables``.
        seed: The seed of the draws.

    Returns:
        Columns architecture (index), trainings (their number), accuracy_mean (percent, over
        trainings), top (whether the mean is in the top) and frequency (share of the tables in which
        it is in the top): all architectures that are ever in the top, the most frequent first.
    """
    grouped = seeds.dropna(subset=["accuracy"]).groupby("architecture")["accuracy"]
    frame = grouped.agg(trainings="size", accuracy_mean="mean").reset_index()
    frame["top"] = top_mask(frame["accuracy_mean"].to_numpy(), threshold)
    hits = np.zeros(len(frame))
    for table in resampled_tables(seeds, draws, seed):
        hits += top_mask(table["accuracy_mean"].to_numpy(), threshold)
    frame["frequency"] = hits / draws
    ever = frame[frame["top"] | (frame["frequency"] > 0)]
    return ever.sort_values(
        ["frequency", "accuracy_mean", "architecture"],
        ascending=[False, False, True],
        ignore_index=True,
    )


def _table(architectures: object, accuracy: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"architecture": np.asarray(architectures), "accuracy_mean": np.asarray(accuracy)}
    )


Groups = tuple[tuple[int, ...], ...]

_NODE_COLUMNS = ["path", "edge", "groups", "arrived", "same", "groupings", "commonest", "count"]
_SCORE_COLUMNS = ["operation", "scores", "mean", "std", "minimum", "maximum"]


def stability(trees: Sequence[SplitTree]) -> pd.DataFrame:
    """Return how often the decisions of the first tree recur in the others.

    A decision can recur only in a tree that comes to the same sub-space and splits the same edge
    there; in how many it does is told apart from in how many it is the same.

    Args:
        trees: Splits by the same metric that differ by their seeds, the one in question first.

    Returns:
        One row for each node of the first tree: path, edge, groups, arrived (trees that decide the
        same, the first included), same (of these, with the same groups), groupings (how many
        different ones they have), commonest (the most frequent of these, the first met among
        equals) and count (how often that is).
    """
    if not trees:
        return pd.DataFrame(columns=_NODE_COLUMNS)
    rows = []
    for node in trees[0].nodes:
        counts = Counter(other.groups for other in _same_question(trees, node))
        commonest, count = counts.most_common(1)[0]
        rows.append(
            {
                "path": node.path,
                "edge": node.edge,
                "groups": node.groups,
                "arrived": counts.total(),
                "same": counts[node.groups],
                "groupings": len(counts),
                "commonest": commonest,
                "count": count,
            }
        )
    return pd.DataFrame(rows, columns=_NODE_COLUMNS)


def score_spread(trees: Sequence[SplitTree], node: SplitNode) -> pd.DataFrame:
    """Return how the scores of a node's operations vary over trees that decide the same.

    Returns:
        One row for each operation: operation, scores (how many are finite), mean, std (of the
        sample; missing for one score), minimum and maximum; missing where there is no score.
    """
    values: dict[int, list[float]] = {operation: [] for operation in node.operations}
    for other in _same_question(trees, node):
        for operation, value in zip(other.operations, other.values, strict=True):
            if value is not None and np.isfinite(value):
                values[operation].append(value)
    rows = [_spread(operation, np.array(scores)) for operation, scores in values.items()]
    return pd.DataFrame(rows, columns=_SCORE_COLUMNS)


def _same_question(trees: Sequence[SplitTree], node: SplitNode) -> list[SplitNode]:
    """Return the nodes of all trees that split the same edge of the same sub-space."""
    return [
        other
        for tree in trees
        for other in tree.nodes
        if other.sub_space == node.sub_space and other.edge == node.edge
    ]


def _spread(operation: int, scores: "np.typing.NDArray[np.float64]") -> dict[str, float]:
    row: dict[str, float] = {"operation": operation, "scores": scores.size}
    if scores.size:
        row |= {"mean": scores.mean(), "minimum": scores.min(), "maximum": scores.max()}
    if scores.size > 1:
        row["std"] = scores.std(ddof=1)
    return row
