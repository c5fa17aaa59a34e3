"""How far splits of an untrained network agree with published ones, over seeds and batches.

The published splits come from an untrained network with the stored statistics of batch norm and 16
images. Which weights and images those were is not known, so this makes the split from several of
each and says how often every published decision recurs, how far the splits agree with the published
one and with each other, how informative they are, and how much of that is noise. Run it with

    python benchmarks/published_agreement.py MASKS --table TABLE [--metric M] [--json FILE]
"""

import json
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from fewshot_core.analysis import (
    SplitEvaluator,
    adjusted_rand_index,
    agreement,
    agreement_matrix,
    branchings,
    stability,
)
from fewshot_core.bench import load_accuracy
from fewshot_core.datasets import DATASETS
from fewshot_core.images import load_batch
from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace, operation_set_label
from fewshot_core.splitting import SplitTree, split
from fewshot_core.splitting.files import read_splits

console = Console()


def main(
    masks: Annotated[Path, typer.Argument(help="Published splits as masks.")],
    table: Annotated[str, typer.Option(help="A table with test accuracies.")],
    metric: str = "gradientmatching",
    dataset: str = "cifar10",
    seeds: int = 5,
    batches: int = 3,
    batch_size: int = 16,
    images: str | None = None,
    channels: int = 16,
    cells: int = 5,
    target: Annotated[Path | None, typer.Option("--json", help="A file for the figures.")] = None,
) -> None:
    """Make the splits and compare them with the published one."""
    (published,) = [
        known for known in read_splits(masks) if (known.name, known.dataset) == (metric, dataset)
    ]
    accuracy = load_accuracy(dataset, "test", table)
    evaluator = SplitEvaluator(accuracy)
    rows, trees = [], []
    for seed in range(seeds):
        supernet = Supernet(SubSpace.full(), DATASETS.get(dataset).classes, channels, cells, seed)
        for number in range(batches):
            batch = load_batch(dataset, batch_size, number, images)
            tree = split(metric, supernet, batch, batch_norm="running", seed=seed)
            trees.append(tree)
            rows.append({"seed": seed, "batch": number, **_row(tree, published.leaves, evaluator)})
            console.print(rows[-1], highlight=False)
    frame = pd.DataFrame(rows)
    nodes, pairs = _nodes(trees, published.leaves), _pairs(frame, trees)
    _print(frame, trees, evaluator.report(published.leaves).comparison)
    _print_nodes(nodes)
    console.print(pairs.to_string(index=False), highlight=False)
    if target is not None:
        target.write_text(json.dumps(_document(frame, trees, nodes, pairs), indent=2))


def _row(
    tree: SplitTree, published: tuple[SubSpace, ...], evaluator: SplitEvaluator
) -> dict[str, Any]:
    nodes = _node_agreement(tree, published)
    comparison = evaluator.report(tree.leaves).comparison
    return {
        "root": _groups(tree.nodes[0].groups),
        "scores": [value for value in tree.nodes[0].values if value is not None],
        "same nodes": int(nodes["same_grouping"].sum()),
        "rand_index": agreement(tree.leaves, published),
        "share_of_best": comparison.share_of_best if comparison else None,
        "percentile": comparison.percentile if comparison else None,
        "arbitrary": sum(node.degenerate for node in tree.nodes),
    }


def _node_agreement(tree: SplitTree, published: tuple[SubSpace, ...]) -> pd.DataFrame:
    """Compare the nodes of a tree with the published ones of the same path."""
    nodes = {node.path: node for node in tree.nodes}
    rows = []
    for other in branchings(published) or []:
        node = nodes[other.path]
        row = {
            "path": other.path,
            "groups_b": other.groups,
            "same_sub_space": node.sub_space == other.sub_space,
            "same_grouping": node.edge == other.edge and set(node.groups) == set(other.groups),
        }
        labels, theirs = _labels(node.groups), _labels(other.groups)
        if node.edge == other.edge and labels.keys() == theirs.keys():
            pairs = [(labels[operation], theirs[operation]) for operation in labels]
            row["rand_index"] = adjusted_rand_index(*zip(*pairs, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def _labels(groups: tuple[tuple[int, ...], ...]) -> dict[int, int]:
    return {operation: number for number, group in enumerate(groups) for operation in group}


def _nodes(trees: list[SplitTree], published: tuple[SubSpace, ...]) -> pd.DataFrame:
    """Count, for each published decision, how many splits come to it and decide the same.

    A decision recurs where the same edge of the same sub-space is split into the same groups. Below
    a node that was decided otherwise the sub-spaces differ, though the groups may be the same.
    """
    compared = pd.concat([_node_agreement(tree, published) for tree in trees])
    return (
        compared.assign(
            decision=[_groups(groups) for groups in compared["groups_b"]],
            recurs=compared["same_sub_space"] & compared["same_grouping"],
        )
        .groupby(["path", "decision"], sort=False)
        .agg(
            arrived=("same_sub_space", "sum"),
            recurs=("recurs", "sum"),
            same_grouping=("same_grouping", "sum"),
            rand_index=("rand_index", "mean"),
        )
        .reset_index()
        .astype({"path": str})
    )


def _pairs(frame: pd.DataFrame, trees: list[SplitTree]) -> pd.DataFrame:
    """Return how far two of the splits agree, by what they have in common."""
    matrix = agreement_matrix({str(place): tree.leaves for place, tree in enumerate(trees)})
    found: dict[str, list[float]] = {"the weights": [], "the images": [], "neither": []}
    for first, second in combinations(range(len(trees)), 2):
        shared = frame.loc[first, ["seed", "batch"]] == frame.loc[second, ["seed", "batch"]]
        kind = "the weights" if shared["seed"] else "the images" if shared["batch"] else "neither"
        found[kind].append(matrix.iloc[first, second])
    return pd.DataFrame(
        [
            {
                "in common": kind,
                "pairs": len(values),
                "mean": mean(values),
                "least": min(values),
                "most": max(values),
                "the same split": sum(value == 1 for value in values),
            }
            for kind, values in found.items()
            if values
        ]
    )


def _print_nodes(nodes: pd.DataFrame) -> None:
    names = ("node", "published decision", "arrived", "recurs", "same groups", "mean Rand index")
    table = Table(*names, title="published decisions")
    for row in nodes.itertuples():
        counts = (row.arrived, row.recurs, row.same_grouping)
        index = "-" if pd.isna(row.rand_index) else f"{row.rand_index:.2f}"
        table.add_row(str(row.path), str(row.decision), *map(str, counts), index)
    console.print(table)


def _groups(groups: Any) -> str:
    return " | ".join(map(operation_set_label, groups))


def _print(frame: pd.DataFrame, trees: list[SplitTree], comparison: Any) -> None:
    table = Table("root", "splits", "gain, share of best", title=f"{len(frame)} splits")
    for root, part in frame.groupby("root"):
        shares = part["share_of_best"]
        table.add_row(str(root), str(len(part)), f"{shares.min():.0%} to {shares.max():.0%}")
    console.print(table)
    recurring = stability(trees)
    console.print(
        f"most frequent root: {recurring['count'][0]} of {len(trees)}; agreement with the "
        f"published split (adjusted Rand index): {frame['rand_index'].min():.2f} to "
        f"{frame['rand_index'].max():.2f}, mean {frame['rand_index'].mean():.2f}; nodes decided as "
        f"published: {frame['same nodes'].mean():.1f} of 7 on average; gain: "
        f"{frame['share_of_best'].min():.0%} to {frame['share_of_best'].max():.0%} of the best "
        f"tree, published {comparison.share_of_best:.0%}"
    )


def _document(
    frame: pd.DataFrame, trees: list[SplitTree], nodes: pd.DataFrame, pairs: pd.DataFrame
) -> dict[str, Any]:
    return {
        "splits": frame.to_dict("records"),
        "nodes": json.loads(nodes.to_json(orient="records")),
        "pairs": pairs.to_dict("records"),
        "trees": [tree.to_dict() for tree in trees],
        "stability": stability(trees)[["arrived", "same", "groupings", "count"]].to_dict("records"),
    }


if __name__ == "__main__":
    typer.run(main)
