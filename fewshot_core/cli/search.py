"""The commands ``fewshot search``, ``fewshot train`` and ``fewshot proxy``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column

from fewshot_core.bench import KINDS, load_accuracy, resolve_table
from fewshot_core.cli.common import (
    AccuracyTable,
    AsJson,
    DataDir,
    Dataset,
    Device,
    Images,
    Masks,
    SpaceName,
    SplitDataset,
    SplitName,
    SplitRun,
    complete,
    expected_seconds,
    named_splits,
    numbers_of,
    one_split,
    preferred_accuracy,
    show,
    table_of,
)
from fewshot_core.data_folder import data_dir
from fewshot_core.errors import FewshotError
from fewshot_core.runs import (
    ProxyRequest,
    RunFolder,
    SearchRequest,
    TrainingRequest,
    plan,
    run_folder,
)
from fewshot_core.runs.estimate import duration_text
from fewshot_core.runs.jobs import choose_device
from fewshot_core.search import PRECISIONS, PRESETS, list_algorithms, proxy
from fewshot_core.search.options import override
from fewshot_core.search.records import CHECKPOINT
from fewshot_core.space import NAS_BENCH_201, SearchSpace, SubSpace, get_space, space_of

Preset = Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS.names())}.")]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="NAME=VALUE, another value for an option of the preset; repeat it. The width "
        "channels=16 is full size in every space.",
    ),
]
Precision = Annotated[str, typer.Option(help=f"How CUDA computes: {', '.join(PRECISIONS)}.")]
Compiled = Annotated[bool, typer.Option("--compile", help="Use torch.compile.")]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Only show what would be computed and how long it takes.")
]


def run_search(
    split: SplitRun = None,
    masks: Masks = None,
    sub_space: Annotated[
        str | None,
        typer.Option(
            help="One sub-space: for each decision of the space a row like 01110, in quotes."
        ),
    ] = None,
    name: SplitName = None,
    no_splitting: Annotated[
        bool, typer.Option("--no-splitting", help="Search the whole space, unsplit.")
    ] = False,
    dataset: SplitDataset = None,
    space: SpaceName = None,
    algorithm: Annotated[
        str, typer.Option(help=f"One of {', '.join(list_algorithms())}.")
    ] = "snas",
    preset: Preset = "quick",
    overrides: Override = None,
    seeds: Annotated[
        list[str] | None, typer.Option(help="Seeds: 777,888,999, or the option repeated.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only these sub-spaces of the split, like S1,S4.")
    ] = None,
    images: Images = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A trained supernet whose weights are inherited.")
    ] = None,
    device: Device = "auto",
    precision: Precision = "float32",
    compiled: Compiled = False,
    estimate: Estimate = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Search with a one-shot algorithm in every sub-space of a split, one after the other.

    The search space is that of the split. It needs a supernet.
    A finished search is shown from the cache; an interrupted one is resumed.
    """
    place = data_dir(folder)
    title, found_dataset, spaces = _sub_spaces(
        split, masks, sub_space, no_splitting, name, dataset, space, place
    )
    spaces = _chosen(spaces, only)
    of_space = space_of(list(spaces.values()))
    request = SearchRequest(
        found_dataset,
        algorithm,
        tuple(SubSpace.full(of_space).rows),
        override(PRESETS.get(preset).search, overrides or []),
        space=of_space.name,
        images=images,
        checkpoint=str(checkpoint.resolve()) if checkpoint else None,
        device=choose_device(device),
        precision=precision,
        compiled=compiled,
    )
    numbers = list(dict.fromkeys(numbers_of(",".join(seeds or ["777"]), "--seeds")))
    requests = plan(request, list(spaces.values()), numbers)
    names = [label for label in spaces for _ in numbers]
    searches = list(zip(names, requests, strict=True))
    if estimate:
        _show_estimate(title, searches, place, as_json)
        return
    rows = [_result(label, one, complete(one, place)) for label, one in searches]
    whose, accuracies = _accuracies(found_dataset, of_space, place)
    for row in rows:
        row["accuracy"] = accuracies.get(row["architecture_index"])
    task = of_space.dataset(found_dataset)
    document = {
        "split": title,
        "algorithm": algorithm,
        "dataset": found_dataset,
        "accuracy": whose,
        "runs": rows,
    }
    table = table_of(
        ("sub-space", "seed", "supernet", "found", Column("architecture", overflow="fold")),
        (
            (
                row["sub_space"],
                row["seed"],
                "-" if row["valid_accuracy"] is None else f"{row['valid_accuracy']:.2f}",
                "-" if row["accuracy"] is None else task.text(row["accuracy"]),
                row["architecture"],
            )
            for row in rows
        ),
        title=f"{title}, {algorithm} on {found_dataset}",
        caption=f"supernet: accuracy on held-out images, in percent; found: {whose}",
    )
    show(as_json, document, table)


def _sub_spaces(
    split: str | None,
    masks: Path | None,
    sub_space: str | None,
    whole: bool,
    name: str | None,
    dataset: str | None,
    space: str | None,
    place: Path,
) -> tuple[str, str, dict[str, SubSpace]]:
    """Read the title of the split, its data set, and its sub-spaces by name."""
    given = [split is not None, masks is not None, sub_space is not None, whole]
    if sum(given) != 1:
        raise FewshotError(
            "expected one of --split RUN, --masks FILE, --sub-space ROWS and --no-splitting"
        )
    if sub_space is not None or whole:
        of_space = get_space(space or NAS_BENCH_201, place)
        meant = dataset or of_space.datasets[0].name
        if sub_space is not None:
            return "one sub-space", meant, {"S1": SubSpace.from_rows(sub_space.split(), of_space)}
        return "no splitting", meant, {"whole": SubSpace.full(of_space)}
    found, meant = one_split(named_splits(masks, split, place, "--split RUN", space), name, dataset)
    leaves = {f"S{number}": leaf for number, leaf in enumerate(found.sub_spaces, start=1)}
    return found.title, meant, leaves


def _chosen(spaces: dict[str, SubSpace], only: str | None) -> dict[str, SubSpace]:
    if only is None:
        return spaces
    names = only.replace(" ", "").split(",")
    unknown = [name for name in names if name not in spaces]
    if unknown:
        raise FewshotError(f"--only: expected some of {', '.join(spaces)}, got {unknown[0]!r}")
    return {name: spaces[name] for name in names}


def _show_estimate(
    title: str, searches: list[tuple[str, SearchRequest]], place: Path, as_json: bool
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "sub_space": name,
            "seed": request.seed,
            "size": request.sub_space.size,
            "seconds": expected_seconds(request, place),
        }
        for name, request in searches
    ]
    seconds = sum(row["seconds"] for row in rows)
    options = searches[0][1].to_dict()["options"]
    table = table_of(
        ("sub-space", "architectures", "seed", "about"),
        (
            (row["sub_space"], f"{row['size']:,}", row["seed"], duration_text(row["seconds"]))
            for row in rows
        ),
        title=title,
    )
    total = f"{len(rows)} searches, about {duration_text(seconds)}"
    show(as_json, {"searches": rows, "seconds": seconds, "options": options}, table, total)


def _result(name: str, request: SearchRequest, run: RunFolder) -> dict[str, Any]:
    last = run.records()[-1]
    return {
        "sub_space": name,
        "rows": list(request.rows),
        "seed": request.seed,
        "run_id": run.run_id,
        "epochs": last["epoch"],
        "valid_accuracy": last["valid_accuracy"],
        "architecture": last["architecture"],
        "architecture_index": last["architecture_index"],
    }


def _accuracies(dataset: str, space: SearchSpace, place: Path) -> tuple[str, dict[int, float]]:
    """Load test accuracies where available, else validation accuracies, and their source."""
    try:
        kind, source = preferred_accuracy(dataset, None, None, place, space)
    except FewshotError:
        return f"no table has accuracies of {space.label} on {dataset}", {}
    frame = load_accuracy(dataset, kind, source, place, space)
    pairs = zip(frame["architecture"].tolist(), frame["accuracy_mean"].tolist(), strict=True)
    return f"{kind} accuracy, table {source}", dict(pairs)


def run_train(
    dataset: Dataset = None,
    space: SpaceName = None,
    preset: Preset = "quick",
    overrides: Override = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    images: Images = None,
    device: Device = "auto",
    precision: Precision = "float32",
    compiled: Compiled = False,
    estimate: Estimate = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Train the supernet of a whole space for use by splits and searches."""
    place = data_dir(folder)
    of_space = get_space(space or NAS_BENCH_201, place)
    request = TrainingRequest(
        dataset or of_space.datasets[0].name,
        override(PRESETS.get(preset).training, overrides or []),
        seed,
        images,
        choose_device(device),
        precision,
        compiled,
        space=of_space.name,
    )
    if estimate:
        seconds = expected_seconds(request, place)
        show(as_json, {"seconds": seconds}, f"about {duration_text(seconds)}")
        return
    run = complete(request, place)
    records = run.records()
    document = {
        "run_id": run.run_id,
        "folder": str(run.path),
        "checkpoint": str(run.path / CHECKPOINT),
        "epochs": records,
    }
    held = records[-1]["valid_accuracy"]
    measured = "nothing held out" if held is None else f"validation accuracy {held:.2f}%"
    show(
        as_json,
        document,
        f"{run.run_id}: {len(records)} epochs, {measured}",
        f"weights: {document['checkpoint']}",
    )


def run_proxy(
    run: Annotated[str, typer.Argument(help="A search or a training.")],
    sample: Annotated[int, typer.Option(help="Number of random architectures.")] = 100,
    seed: Annotated[int, typer.Option(help="Random seed of the sample.")] = 0,
    space: SpaceName = None,
    accuracy: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(KINDS)}; by default the first that the space has."),
    ] = None,
    table: AccuracyTable = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well the shared weights of a run rank architectures (proxy quality).

    It is a run of its own, whose result is also shown on the page Search.
    """
    place = data_dir(folder)
    kept = run_folder(run, place)
    request = kept.request()
    if not isinstance(request, SearchRequest | TrainingRequest):
        raise FewshotError(f"{run} has no shared weights: expected a search or a training")
    if kept.status().state.active:
        raise FewshotError(f"{run} is still running: wait for it, or cancel it")
    if space not in (None, request.space):
        raise FewshotError(f"{run} is a run in {request.space}, not in {space}")
    dataset, of_space = request.dataset, request.sub_space.space
    accuracy = accuracy or of_space.dataset(dataset).kinds[0]
    source = resolve_table(dataset, accuracy, table, place, of_space)
    values = load_accuracy(dataset, accuracy, table, place, of_space)
    proxy_request = ProxyRequest(dataset, run, sample, seed, request.device, space=of_space.name)
    measured = complete(proxy_request, place)
    estimate = f"{measured.store_estimate(place)}:supernet_accuracy"
    shared = proxy.read_shared(measured.path)
    correlation, frame = proxy.compare(shared, values)
    if correlation is None:
        raise FewshotError(f"the table {source.name} has fewer than two of these architectures")
    document = {
        "run_id": run,
        "estimate": estimate,
        "table": source.name,
        "accuracy": accuracy,
        "kendall": asdict(correlation.kendall),
        "spearman": asdict(correlation.spearman),
        "confidence": correlation.confidence,
        "epoch": shared.epoch,
        "seed": shared.seed,
        "images": shared.images,
        "held_out": shared.held_out,
        "architectures": frame.to_dict("records"),
    }
    show(
        as_json,
        document,
        f"{len(frame)} architectures with the weights of epoch {shared.epoch}, on {shared.images} "
        f"images ({'held out' if shared.held_out else 'also trained on'}), against {accuracy} "
        f"accuracy in the table {source.name}",
        f"Kendall's tau: {proxy.correlation_text(correlation.kendall)}",
        f"Spearman: {proxy.correlation_text(correlation.spearman)}",
        f"estimate: {estimate}",
    )
