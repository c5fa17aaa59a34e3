"""The commands ``fewshot split`` and ``fewshot estimate``."""

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
    complete,
    err,
    expected_seconds,
    follow_to_end,
    numbers_of,
    show,
    table_of,
)
from fewshot_core.data_folder import data_dir
from fewshot_core.errors import FewshotError
from fewshot_core.metrics import METRICS, list_metrics, most_sharing_first
from fewshot_core.runs import (
    EstimateRequest,
    Network,
    RunFolder,
    SplitRequest,
    find_finished,
    start,
)
from fewshot_core.runs.estimate import duration_text
from fewshot_core.runs.jobs import choose_device
from fewshot_core.space import NAS_BENCH_201, SearchSpace, get_space
from fewshot_core.splitting import EDGE_POLICIES, WARM_UP_IMAGES, SplitTree, TreeOptions
from fewshot_core.splitting.partition import Groups

ALL = "all"
WIDTH_HELP = (
    "Width of the network, 16 at full size: channels of the first stage; the stem of "
    "nas-bench-macro has twice as many."
)

Variant = Annotated[str, typer.Option(help="A variant of the metric.")]
BatchSize = Annotated[int, typer.Option(help="Images in a batch.")]
Batches = Annotated[int, typer.Option(help="Batches to average over.")]
BatchSeed = Annotated[int, typer.Option(help="Random seed of the batch.")]
BatchNorm = Annotated[str, typer.Option(help="batch or running.")]
Channels = Annotated[int, typer.Option(help=WIDTH_HELP)]
Cells = Annotated[
    int, typer.Option(help="Cells in each stage; nas-bench-macro always has its eight layers.")
]
Checkpoint = Annotated[Path | None, typer.Option(help="Trained weights.")]
NetworkSeed = Annotated[int, typer.Option(help="Seed of the untrained weights.")]


def run_split(
    metric: Annotated[
        str, typer.Option(help=f"One of {', '.join(list_metrics())}; or {ALL}, for each of them.")
    ],
    dataset: Dataset = None,
    space: SpaceName = None,
    variant: Variant = "paper",
    images: Images = None,
    batch_size: BatchSize = 64,
    batches: Batches = 1,
    batch_seed: BatchSeed = 0,
    batch_norm: BatchNorm = "batch",
    channels: Channels = 16,
    cells: Cells = 5,
    checkpoint: Checkpoint = None,
    network_seed: NetworkSeed = 0,
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
    metrics = list_metrics() if metric == ALL else [metric]
    if repeats < 1:
        raise FewshotError(f"--repeats: expected at least 1, got {repeats}")
    levels = numbers_of(edges, "--edges")
    per_level = numbers_of(groups, "--groups")
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
        network=_network(of_space, channels, cells, network_seed, checkpoint),
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


def _network(
    space: SearchSpace, channels: int, cells: int, seed: int, checkpoint: Path | None
) -> Network:
    if space.fixed_depth and cells != Network().cells_per_stage:
        count = len(space.decisions)
        raise FewshotError(f"--cells: {space.label} always has its {count} layers: leave it out")
    return Network(channels, cells, seed, str(checkpoint.resolve()) if checkpoint else None)


def run_estimate(
    metric: Annotated[
        str, typer.Option(help=f"One of {', '.join(m.name for m in METRICS if m.direction)}.")
    ],
    dataset: Dataset = None,
    space: SpaceName = None,
    sample: Annotated[
        int | None, typer.Option(help="Number of random architectures; by default all are scored.")
    ] = None,
    sample_seed: Annotated[int, typer.Option(help="Random seed of the sample.")] = 0,
    variant: Variant = "paper",
    images: Images = None,
    batch_size: BatchSize = 64,
    batches: Batches = 1,
    batch_seed: BatchSeed = 0,
    batch_norm: BatchNorm = "batch",
    channels: Channels = 16,
    cells: Cells = 5,
    checkpoint: Checkpoint = None,
    network_seed: NetworkSeed = 0,
    seed: Annotated[int, typer.Option(help="Seed of the metric.")] = 0,
    device: Device = "auto",
    only_time: Annotated[
        bool, typer.Option("--time", help="Only show how long it takes, and start nothing.")
    ] = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Score the architectures of a space by a zero-cost metric: an estimate of their accuracy.

    An interrupted run is resumed. Its result is a column for ``fewshot estimates`` and the page
    Estimates, in which larger is better.
    """
    place = data_dir(folder)
    of_space = get_space(space or NAS_BENCH_201, place)
    request = EstimateRequest(
        dataset or of_space.datasets[0].name,
        metric,
        variant,
        batch_norm,
        images,
        batch_size,
        batches,
        batch_seed,
        seed,
        _network(of_space, channels, cells, network_seed, checkpoint),
        choose_device(device),
        sample,
        sample_seed,
        space=of_space.name,
    )
    request.check()
    request.check_space(of_space)
    count = len(request.architectures(of_space))
    if only_time or find_finished(request, place) is None:
        seconds = expected_seconds(request, place, "timing some architectures")
        text = f"{count:,} architectures, about {duration_text(seconds)}"
        if only_time:
            show(as_json, {"architectures": count, "seconds": seconds}, text)
            return
        err.print(text)
    run = complete(request, place)
    name = f"{run.store_estimate(place)}:{request.column}"
    known = sum(score is not None for score in run.scores())
    document = {"run_id": run.run_id, "estimate": name, "architectures": count, "known": known}
    how = f"compare it by `fewshot estimates --estimate {name}`"
    show(as_json, document, f"{known:,} of {count:,} architectures have a score: {how}")


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
