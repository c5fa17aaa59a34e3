"""Grids of splits and searches, read from TOML files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from fewshot_core import limits
from fewshot_core.data_folder import typed_path
from fewshot_core.datasets import DATASETS
from fewshot_core.documents import parse_toml, read_dataclass, read_document, refusing, shown
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.metrics import list_metrics
from fewshot_core.runs.cluster.clusters import ClusterOptions
from fewshot_core.runs.requests import Network, SearchRequest, SplitRequest
from fewshot_core.search import PRESETS, list_algorithms
from fewshot_core.search.options import as_text, override
from fewshot_core.space import NAS_BENCH_201, SearchSpace, SubSpace, get_space
from fewshot_core.splitting import TreeOptions
from fewshot_core.splitting.files import read_splits

_SECTIONS = ("space", "device", "images", "splits", "searches", "cluster")
_SPLIT_LISTS = ("metrics", "datasets", "repeats")
_SET_ELSEWHERE = {"dataset", "metric", "images", "device", "space"}


@dataclass(frozen=True)
class _Searches:
    """The section ``[searches]`` of a file; ``splits`` is by default whether there are any."""

    splits: bool | None = None
    masks: str | None = None
    no_splitting: bool = False
    datasets: tuple[str, ...] = ()
    algorithms: tuple[str, ...] | str = ("snas",)
    preset: str = "quick"
    set: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (777,)
    checkpoint: str | None = None


@dataclass(frozen=True)
class Grid:
    """A grid of runs: splits, and searches that wait for none of them.

    ``searches_of`` creates the searches in the sub-spaces of a finished split of a data set,
    ``searches_per_sub_space`` for each.
    """

    splits: Sequence[SplitRequest]
    searches: Sequence[SearchRequest]
    searches_of: Callable[[str, Sequence[SubSpace]], list[SearchRequest]]
    searches_per_sub_space: int = 0
    cluster: ClusterOptions = field(default_factory=ClusterOptions)


def read_grid(
    path: Path, device: str = "cpu", space: str | None = None, data_dir: Path | None = None
) -> Grid:
    """Read a grid from a TOML file; see ``docs/cluster.md``.

    Paths in the file are relative to its folder; ``device`` and ``space`` are used where the file
    names none. Raises RunError if it cannot be read, or names something unknown.
    """
    with refusing(RunError, str(path), "expected a grid in TOML"):
        document = read_document(path, limits.TEXT_BYTES, parse_toml)
    try:
        named = document.pop("space", space)
        if space not in (None, named):
            raise RunError(f"it is a grid in {named}, not in {space}")
        of_space = get_space(named or NAS_BENCH_201, data_dir)
        return _grid(document, path.parent, device, of_space)
    except FewshotError as error:
        raise RunError(f"{path}: {error}") from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise RunError(f"{path}: a value is of the wrong type: {shown(error)}") from error


def _grid(document: Mapping[str, Any], folder: Path, device: str, space: SearchSpace) -> Grid:
    _check_keys("the file", document, _SECTIONS)
    chosen = str(document.get("device", device))
    images = {
        DATASETS.get(name).name: _place(value, folder)
        for name, value in document.get("images", {}).items()
    }
    splits = _splits(document["splits"], images, chosen, space) if "splits" in document else []
    part = read_dataclass(_Searches, document.get("searches", {}), "[searches]", RunError)
    templates = _templates(part, images, folder, chosen, space) if "searches" in document else {}
    in_splits = "searches" in document and (bool(splits) if part.splits is None else part.splits)
    per_sub_space = max(map(len, templates.values())) if in_splits else 0
    searches = _direct(part, folder, templates, space)
    if not splits and not searches:
        raise RunError("expected splits under [splits], or searches under [searches]; got neither")

    def searches_of(dataset: str, leaves: Sequence[SubSpace]) -> list[SearchRequest]:
        return _in_sub_spaces(templates[dataset], leaves) if in_splits else []

    cluster = read_dataclass(ClusterOptions, document.get("cluster", {}), "[cluster]", RunError)
    return Grid(splits, searches, searches_of, per_sub_space, cluster)


def _splits(
    part: Mapping[str, Any], images: Mapping[str, str], device: str, space: SearchSpace
) -> list[SplitRequest]:
    usual = {item.name for item in fields(SplitRequest)} - _SET_ELSEWHERE
    _check_keys("[splits]", part, (*_SPLIT_LISTS, *sorted(usual)))
    metrics = part.get("metrics", "all")
    names = list_metrics() if metrics == "all" else list(metrics)
    options: dict[str, Any] = {name: value for name, value in part.items() if name in usual}
    options["space"] = space.name
    if "network" in options:
        options["network"] = Network(**options["network"])
    if "tree" in options:
        tree = dict(options["tree"])
        tree["groups"] = tree.get("groups", 2)
        options["tree"] = TreeOptions.create(
            tuple(tree.pop("edges", (0, 1, 2))), **tree, space=space
        )
    requests = [
        SplitRequest(dataset, metric, images=images.get(dataset), device=device, **options)
        for metric, dataset in product(names, part.get("datasets", [space.datasets[0].name]))
    ]
    for request in requests:
        request.check()
        request.check_space(space)
    repeats = int(part.get("repeats", 1))
    _check_count(len(requests) * repeats)
    return [request.repeated(number) for request in requests for number in range(repeats)]


def _check_count(runs: int) -> None:
    if runs > limits.RUNS:
        raise RunError(f"expected at most {limits.RUNS:,} runs in a grid, got {runs:,}")


def _templates(
    part: _Searches, images: Mapping[str, str], folder: Path, device: str, space: SearchSpace
) -> dict[str, list[SearchRequest]]:
    """Create the searches in the whole space, by data set."""
    texts = [f"{name}={as_text(value)}" for name, value in part.set.items()]
    options = override(PRESETS.get(part.preset).search, texts)
    names = list_algorithms() if part.algorithms == "all" else part.algorithms
    _check_count(len(names) * len(part.seeds))
    checkpoint = None if part.checkpoint is None else str((folder / part.checkpoint).resolve())
    whole = tuple(SubSpace.full(space).rows)
    found = {
        dataset: [
            SearchRequest(
                dataset,
                name,
                whole,
                options,
                seed,
                images.get(dataset),
                checkpoint,
                device,
                space=space.name,
            )
            for name, seed in product(names, part.seeds)
        ]
        for dataset in (task.name for task in space.datasets)
    }
    for request in found[space.datasets[0].name]:  # wrong names are errors of the file
        request.check()
        request.check_space(space)
    return found


def _direct(
    part: _Searches,
    folder: Path,
    templates: Mapping[str, Sequence[SearchRequest]],
    space: SearchSpace,
) -> list[SearchRequest]:
    """Return the searches that need no split to be made."""
    wanted = [space.dataset(name).name for name in part.datasets]
    found: list[SearchRequest] = []
    for split in [] if part.masks is None else read_splits(folder / part.masks, space):
        if split.dataset is None and len(wanted) != 1:
            raise RunError("the masks do not say their data set: name one under datasets")
        dataset = space.dataset(split.dataset or wanted[0]).name
        if not wanted or dataset in wanted:
            found += _in_sub_spaces(templates[dataset], split.sub_spaces)
    if part.no_splitting:
        for dataset in wanted or [space.datasets[0].name]:
            found += templates[dataset]
    return list(dict.fromkeys(found))


def _in_sub_spaces(
    templates: Sequence[SearchRequest], leaves: Sequence[SubSpace]
) -> list[SearchRequest]:
    _check_count(len(templates) * len(leaves))
    return [replace(template, rows=tuple(leaf.rows)) for leaf in leaves for template in templates]


def _place(value: str, folder: Path) -> str:
    """Return a path relative to the file as a whole one; a name as it is."""
    path = folder / typed_path(value)
    return str(path.resolve()) if path.exists() else value


def _check_keys(where: str, part: Mapping[str, Any], known: Sequence[str]) -> None:
    unknown = [name for name in part if name not in known]
    if unknown:
        raise RunError(f"{where}: unknown {unknown[0]!r}, expected some of {', '.join(known)}")
