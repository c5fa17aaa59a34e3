"""How far splits of an untrained network agree with published ones, over seeds and batches.

The published splits come from an untrained network with the stored statistics of batch norm and 16
images. Which weights and images those were is not known, so this makes the split from several of
each and says how often every published decision recurs, how far the splits agree, and how much they
tell. Run it with

    python benchmarks/published_agreement.py MASKS --table TABLE [--metric M] [--json FILE]
"""

import json
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from fewshot_core.analysis import SplitJudge, agreement, node_agreement
from fewshot_core.analysis.stability import stability
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
    judge = SplitJudge(accuracy)
    rows, trees = [], []
    for seed in range(seeds):
        supernet = Supernet(SubSpace.full(), DATASETS.get(dataset).classes, channels, cells, seed)
        for number in range(batches):
            batch = load_batch(dataset, batch_size, number, images)
            tree = split(metric, supernet, batch, batch_norm="running", seed=seed)
            trees.append(tree)
            rows.append({"seed": seed, "batch": number, **_row(tree, published.leaves, judge)})
            console.print(rows[-1], highlight=False)
    frame = pd.DataFrame(rows)
    _print(frame, trees, judge.report(published.leaves).standing)
    if target is not None:
        target.write_text(json.dumps(_document(frame, trees), indent=2))


def _row(tree: SplitTree, published: tuple[SubSpace, ...], judge: SplitJudge) -> dict[str, Any]:
    nodes = node_agreement(tree, list(published))
    standing = judge.report(tree.leaves).standing
    return {
        "root": " | ".join(map(operation_set_label, tree.nodes[0].groups)),
        "scores": [value for value in tree.nodes[0].values if value is not None],
        "same nodes": int(nodes["same_grouping"].sum()),
        "rand_index": agreement(tree.leaves, published),
        "share_of_best": standing.share_of_best if standing else None,
        "arbitrary": sum(node.degenerate for node in tree.nodes),
    }


def _print(frame: pd.DataFrame, trees: list[SplitTree], standing: Any) -> None:
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
        f"tree, published {standing.share_of_best:.0%}"
    )


def _document(frame: pd.DataFrame, trees: list[SplitTree]) -> dict[str, Any]:
    return {
        "splits": frame.to_dict("records"),
        "stability": stability(trees)[["arrived", "same", "groupings", "count"]].to_dict("records"),
    }


if __name__ == "__main__":
    typer.run(main)
