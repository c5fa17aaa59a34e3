"""The command ``fewshot split``."""

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.table import Table

from fewshot_core.cli.common import (
    AsJson,
    DataDir,
    Dataset,
    Device,
    Images,
    SpaceName,
    follow_to_end,
    numbers_of,
    show,
    table_of,
)
from fewshot_core.data_folder import data_dir
from fewshot_core.errors import FewshotError
from fewshot_core.metrics import METRICS, list_metrics, most_sharing_first
from fewshot_core.runs import Network, RunFolder, SplitRequest, start
from fewshot_core.runs.devices import choose_device
from fewshot_core.space import NAS_BENCH_201, get_space
from fewshot_core.splitting import EDGE_POLICIES, WARM_UP_IMAGES, SplitTree, TreeOptions
from fewshot_core.splitting.partition import Groups

ALL = "all"
WIDTH_HELP = (
    "Width of the network, 16 at full size: channels of the first stage; the stem of "
    "nas-bench-macro has twice as many."
)


def run_split(
    metric: Annotated[
        str, typer.Option(help=f"One of {', '.join(list_metrics())}; or {ALL}, for each of them.")
    ],
    dataset: Dataset = None,
    space: SpaceName = None,
    variant: Annotated[str, typer.Option(help="A variant of the metric.")] = "paper",
    images: Images = None,
    batch_size: Annotated[int, typer.Option(help="Images in a batch.")] = 64,
    batches: Annotated[int, typer.Option(help="Batches to average over.")] = 1,
    batch_seed: Annotated[int, typer.Option(help="Random seed of the batch.")] = 0,
    batch_norm: Annotated[str, typer.Option(help="batch or running.")] = "batch",
    channels: Annotated[int, typer.Option(help=WIDTH_HELP)] = 16,
    cells: Annotated[
        int, typer.Option(help="Cells in each stage; nas-bench-macro always has its eight layers.")
    ] = 5,
    checkpoint: Annotated[Path | None, typer.Option(help="Trained weights.")] = None,
    network_seed: Annotated[int, typer.Option(help="Seed of the untrained weights.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the metric and of the edge policy.")] = 0,
    edges: Annotated[
        str, typer.Option(help="The edge, or other decision, of each level, by number from 0.")
    ] = "0,1,2",
    groups: Annotated[str, typer.Option(help="Groups at every level, or at each.")] = "2",
    balanced: Annotated[bool, typer.Option(help="Groups of equal size, within one.")] = False,
    policy: Annotated[str, typer.Option(help=f"One of {', '.join(EDGE_POLICIES)}.")] = "fixed",
    warm_up: Annotated[
        int, typer.Option(help="Epochs of training before a sub-supernet is split further.")
    ] = 0,
    warm_up_images: Annotated[
        int, typer.Option(help="Training images in each of these epochs.")
    ] = WARM_UP_IMAGES,
    device: Device = "auto",
    repeats: Annotated[
        int, typer.Option(help="Number of repeats, each with all seeds increased by 1.")
    ] = 1,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Split a search space with a metric; a finished split is shown from the cache.

    Metrics need a space with a supernet: nas-bench-201, nas-bench-macro, or one of a package.
    Others are split by the metric random only.
    """
    place = data_dir(folder)
    of_space = get_space(space or NAS_BENCH_201, place)
    if of_space.fixed_depth and cells != Network().cells_per_stage:
        count = len(of_space.decisions)
        raise FewshotError(f"--cells: {of_space.label} always has its {count} layers: leave it out")
    metrics = list_metrics() if metric == ALL else [metric]
    if repeats < 1:
        raise FewshotError(f"--repeats: expected at least 1, got {repeats}")
    levels = numbers_of(edges, "--edges")
    per_level = numbers_of(groups, "--groups")
    weights = str(checkpoint.resolve()) if checkpoint else None
    request = SplitRequest(
        dataset=dataset or of_space.datasets[0].name,
        metric=metrics[0],
        variant=variant,
        batch_norm=batch_norm,
        images=images,
        batch_size=batch_size,
        batches=batches,
        batch_seed=batch_seed,
        seed=seed,
        network=Network(channels, cells, network_seed, weights),
        tree=TreeOptions.create(
            levels,
            per_level[0] if len(per_level) == 1 else per_level,
            balanced,
            policy,
            warm_up,
            warm_up_images,
            of_space,
        ),
        space=of_space.name,
        device=choose_device(device),
    )
    made = {}
    for name in most_sharing_first(metrics):  # later metrics use the cached scores of earlier ones
        of_metric = replace(request, metric=name)
        made[name] = _make([of_metric.repeated(number) for number in range(repeats)], place)
    _show([made[name] for name in metrics], as_json)


Split = tuple[RunFolder, SplitTree]


def _make(requests: list[SplitRequest], place: Path) -> list[Split]:
    """Run the repeats of a split, or take those that are finished."""
    now = time.time()
    splits = []
    for run in [start(request, place) for request in requests]:
        follow_to_end(run, now)
        tree = run.tree()
        if tree is None:
            raise FewshotError(f"{run.run_id} is done but has no tree: run the command again")
        splits.append((run, tree))
    return splits


def _show(splits: list[list[Split]], as_json: bool) -> None:
    """Print the repeats of each split: one split as it is, several with their stability."""
    documents = []
    stable = []
    parts: list[RenderableType] = []
    for several in splits:
        for run, tree in several:
            documents.append({"run_id": run.run_id, "folder": str(run.path), **tree.to_dict()})
        run, tree = several[0]
        title = f"{run.run_id}: {METRICS.label(tree.metric)} on {tree.details['dataset']}"
        parts += [title, _nodes(tree), _leaves(tree)]
        if len(several) > 1:
            from fewshot_core.analysis import stability  # loads pandas

            rows = stability([tree for _, tree in several]).to_dict("records")
            stable += [{"metric": tree.metric, **row} for row in rows]
            parts.append(_stability(tree, rows))
    one = len(documents) == 1
    show(as_json, documents[0] if one else {"splits": documents, "stability": stable}, *parts)


def _nodes(tree: SplitTree) -> Table:
    """Tabulate groups of operations, cut, and the reason of a tie."""
    return table_of(
        ("node", tree.space.noun, "groups", "cut", "note"),
        (
            (
                _path(node.path),
                tree.space.decisions[node.edge].name,
                _groups(tree, node.edge, node.groups),
                f"{node.cut:.6g}",
                node.reason or "",
            )
            for node in tree.nodes
        ),
    )


def _leaves(tree: SplitTree) -> Table:
    leaves = enumerate(tree.leaves, start=1)
    rows = ((f"S{number}", f"{leaf.size:,}", " ".join(leaf.rows)) for number, leaf in leaves)
    return table_of(("sub-space", "size", "rows"), rows)


def _stability(tree: SplitTree, rows: Sequence[Mapping[Hashable, Any]]) -> Table:
    """Tabulate how often the groupings of the first tree recur in the others."""
    return table_of(
        ("node", "the same", "of", "different", "most frequent"),
        (
            (
                _path(row["path"]),
                row["same"],
                row["arrived"],
                row["groupings"],
                f"{_groups(tree, row['edge'], row['commonest'])} ({row['count']})",
            )
            for row in rows
        ),
        title="Over all seeds",
    )


def _path(path: tuple[int, ...]) -> str:
    return "/".join(str(number + 1) for number in path) or "root"


def _groups(tree: SplitTree, edge: int, groups: Groups) -> str:
    return "  |  ".join(map(tree.space.decisions[edge].describe, groups))
