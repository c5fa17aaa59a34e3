"""The command ``fewshot split``."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from fewshot_core.analysis import stability
from fewshot_core.cli.common import (
    AsJson,
    DataDir,
    Dataset,
    err,
    follow_to_end,
    leaves_table,
    nodes_table,
    out,
    print_json,
    stability_table,
)
from fewshot_core.data_folder import data_dir
from fewshot_core.errors import FewshotError
from fewshot_core.metrics import METRICS, list_metrics, most_sharing_first
from fewshot_core.runs import Network, RunFolder, SplitRequest, start
from fewshot_core.runs.devices import choose_device
from fewshot_core.splitting import EDGE_POLICIES, WARM_UP_IMAGES, SplitTree, TreeOptions

ALL = "all"


def run_split(
    metric: Annotated[
        str, typer.Option(help=f"One of {', '.join(list_metrics())}; or {ALL}, for each of them.")
    ],
    dataset: Dataset = "cifar10",
    variant: Annotated[str, typer.Option(help="A variant of the metric.")] = "paper",
    images: Annotated[
        str | None, typer.Option(help="Images by name or path; or synthetic.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images in a batch.")] = 64,
    batches: Annotated[int, typer.Option(help="Batches to average over.")] = 1,
    batch_seed: Annotated[int, typer.Option(help="Random seed of the batch.")] = 0,
    batch_norm: Annotated[str, typer.Option(help="batch or running.")] = "batch",
    channels: Annotated[int, typer.Option(help="Channels of the first stage.")] = 16,
    cells: Annotated[int, typer.Option(help="Cells in each stage.")] = 5,
    checkpoint: Annotated[Path | None, typer.Option(help="Trained weights.")] = None,
    network_seed: Annotated[int, typer.Option(help="Seed of the untrained weights.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the metric and of the edge policy.")] = 0,
    edges: Annotated[str, typer.Option(help="The edge of each level, by number.")] = "0,1,2",
    groups: Annotated[str, typer.Option(help="Groups at every level, or at each.")] = "2",
    balanced: Annotated[bool, typer.Option(help="Groups of equal size, within one.")] = False,
    policy: Annotated[str, typer.Option(help=f"One of {', '.join(EDGE_POLICIES)}.")] = "fixed",
    warm_up: Annotated[
        int, typer.Option(help="Epochs of training before a sub-supernet is split further.")
    ] = 0,
    warm_up_images: Annotated[
        int, typer.Option(help="Training images in each of these epochs.")
    ] = WARM_UP_IMAGES,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    repeats: Annotated[
        int, typer.Option(help="Number of repeats, each with all seeds increased by 1.")
    ] = 1,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Split the space with a metric; a finished split is shown from the cache."""
    metrics = list_metrics() if metric == ALL else [metric]
    if repeats < 1:
        raise FewshotError(f"--repeats: expected at least 1, got {repeats}")
    levels = _numbers(edges, "--edges")
    per_level = _numbers(groups, "--groups")
    request = SplitRequest(
        dataset=dataset,
        metric=metrics[0],
        variant=variant,
        batch_norm=batch_norm,
        images=images,
        batch_size=batch_size,
        batches=batches,
        batch_seed=batch_seed,
        seed=seed,
        network=Network(
            channels, cells, network_seed, str(checkpoint.resolve()) if checkpoint else None
        ),
        tree=TreeOptions.create(
            levels,
            per_level[0] if len(per_level) == 1 else per_level,
            balanced,
            policy,
            warm_up,
            warm_up_images,
        ),
        device=choose_device(device),
    )
    place = data_dir(folder)
    made = {}
    for name in most_sharing_first(metrics):  # later metrics use the cached scores of earlier ones
        of_metric = replace(request, metric=name)
        made[name] = _make([of_metric.repeated(number) for number in range(repeats)], place)
    splits = [made[name] for name in metrics]
    if as_json:
        print_json(_document(splits))
        return
    for several in splits:
        _print(several)


Split = tuple[RunFolder, SplitTree]


def _make(requests: list[SplitRequest], place: Path) -> list[Split]:
    """Run the repeats of a split, or take those that are finished."""
    now = time.time()
    runs = [start(request, place) for request in requests]
    return [(run, _result(run, now)) for run in runs]


def _result(run: RunFolder, requested: float) -> SplitTree:
    """Wait for a run and read its tree."""
    follow_to_end(run, err, requested)
    tree = run.tree()
    if tree is None:
        raise FewshotError(f"{run.run_id} is done but has no tree: run the command again")
    return tree


def _document(splits: list[list[Split]]) -> dict[str, Any]:
    """Build the JSON document: one split as it is, several with their stability."""
    documents = [
        {"run_id": run.run_id, "folder": str(run.path), **tree.to_dict()}
        for several in splits
        for run, tree in several
    ]
    if len(documents) == 1:
        return documents[0]
    stable = [
        {"metric": several[0][1].metric, **row}
        for several in splits
        if len(several) > 1
        for row in stability([tree for _, tree in several]).to_dict("records")
    ]
    return {"splits": documents, "stability": stable}


def _print(several: list[Split]) -> None:
    run, tree = several[0]
    label = METRICS.label(tree.metric)
    out.print(f"{run.run_id}: {label} on {tree.details['dataset']}", highlight=False)
    out.print(nodes_table(tree))
    out.print(leaves_table(tree))
    if len(several) > 1:
        out.print(stability_table([other for _, other in several]))


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise FewshotError(f"{option}: expected numbers like 0,1,2, got {text!r}") from error
