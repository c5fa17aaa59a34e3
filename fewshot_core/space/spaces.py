"""The search spaces there are: our own, those of other packages, and those declared in TOML files.

A declared space is a file ``spaces/NAME.toml`` of the data folder::

    name = "small-cnn"
    label = "Small CNN"

    [[decisions]]
    name = "stem"
    operations = ["conv3", "conv5"]

    [[datasets]]
    name = "cifar10"
    kinds = ["test"]

The keys are the fields of ``SearchSpace``, ``Decision`` and ``Task``. A package adds a space by an
entry point in the group ``fewshot.spaces`` that names a ``SearchSpace``; see
``fewshot_core.registry``.
"""

from functools import lru_cache
from pathlib import Path

from fewshot_core import limits
from fewshot_core.data_folder import data_dir, write_text
from fewshot_core.datasets import DATASETS
from fewshot_core.documents import parse_toml, read_dataclass, read_document, read_limited, refusing
from fewshot_core.errors import SpaceError, UnknownNameError
from fewshot_core.registry import NAME_PATTERN, PluginRegistry
from fewshot_core.space.search_space import Decision, SearchSpace, Task

_EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_LABELS = ("none", "skip", "1x1", "3x3", "pool")
_TINTS = ("#6F7480", "#94682A", "#1B7F83", "#5B5FC7", "#A14D87")


def _cell(operations: int) -> tuple[Decision, ...]:
    """The edges of the NAS-Bench-201 cell, with the first so many operations."""
    return tuple(
        Decision(f"{target}<-{source}", _OPERATIONS[:operations], _LABELS[:operations])
        for target, source in _EDGES
    )


NAS_BENCH_201 = SearchSpace(
    name="nas-bench-201",
    label="NAS-Bench-201",
    decisions=_cell(5),
    datasets=tuple(Task(dataset.name, dataset.label) for dataset in DATASETS),
    edges=_EDGES,
    tints=dict(zip(_OPERATIONS, _TINTS, strict=True)),
    description="cells of six edges and five operations (Dong and Yang, 2020)",
)
"""The space of the paper, the default everywhere."""

_VALIDATION = ("validation",)

_TRANS_NAS_BENCH_101_MICRO = SearchSpace(
    name="trans-nas-bench-101-micro",
    label="TransNAS-Bench-101 micro",
    decisions=_cell(4),
    datasets=(
        Task("autoencoder", "Autoencoding", _VALIDATION, "SSIM"),
        Task("class_object", "Object classification", _VALIDATION),
        Task("class_scene", "Scene classification", _VALIDATION),
        Task("jigsaw", "Jigsaw puzzle", _VALIDATION),
        Task("normal", "Surface normals", _VALIDATION, "SSIM"),
        Task("room_layout", "Room layout", _VALIDATION, "negative loss"),
        Task("segmentsemantic", "Semantic segmentation", _VALIDATION),
    ),
    edges=_EDGES,
    tints=NAS_BENCH_201.tints,
    description="the same cell with four operations, on seven tasks (Duan et al., 2021)",
    table_file="zc_transbench101_micro.json",
    table_source="github.com/automl/NASLib",
)

_NAS_BENCH_MACRO = SearchSpace(
    name="nas-bench-macro",
    label="NAS-Bench-Macro",
    decisions=tuple(
        Decision(
            f"layer {layer}", ("identity", "mb3_k3", "mb6_k5"), ("identity", "MB3 3x3", "MB6 5x5")
        )
        for layer in range(1, 9)
    ),
    datasets=(Task("cifar10", "CIFAR-10", ("test",)),),
    tints={"identity": "#94682A", "mb3_k3": "#1B7F83", "mb6_k5": "#5B5FC7"},
    description="a chain of eight layers, each identity or a MobileNetV2 block (Su et al., 2021)",
    table_file="nas-bench-macro_cifar10.json",
    table_source="github.com/xiusu/NAS-Bench-Macro",
)

SPACES = PluginRegistry("search space", "fewshot.spaces", SearchSpace)
for _space in (NAS_BENCH_201, _TRANS_NAS_BENCH_101_MICRO, _NAS_BENCH_MACRO):
    SPACES.add(_space)


def list_spaces(folder: Path | str | None = None) -> list[str]:
    """Names of all search spaces; those declared in the data folder come last."""
    files = (path for path in _folder(folder).glob("*.toml") if path.name[0] != ".")
    declared = sorted(path.stem for path in files)
    return [*SPACES.names(), *(name for name in declared if name not in SPACES)]


def get_space(
    space: SearchSpace | str = NAS_BENCH_201, folder: Path | str | None = None
) -> SearchSpace:
    """Return the search space of a name; a space is returned as it is.

    ``folder`` is the data folder with declared spaces, by default that of ``data_dir``. Raises
    UnknownNameError if there is none, SpaceError if its file is damaged.
    """
    if isinstance(space, SearchSpace):
        return space
    found = SPACES.find(space)
    if found is not None:
        return found
    path = space_path(space, folder)
    if not NAME_PATTERN.fullmatch(space) or not path.is_file():
        known = ", ".join(list_spaces(folder))
        raise UnknownNameError(f"unknown search space {space!r}: expected one of {known}")
    return _read(path, path.stat().st_mtime_ns)


def space_label(space: SearchSpace | str) -> str:
    """Name of a search space where the default is not named: empty for NAS-Bench-201."""
    name = space if isinstance(space, str) else space.name
    return "" if name == NAS_BENCH_201.name else name


def read_space(path: Path) -> SearchSpace:
    """Read the declaration of a search space; raises SpaceError if it is none."""
    with refusing(SpaceError, path.name, "expected the TOML file of a search space"):
        document = read_document(path, limits.TEXT_BYTES, parse_toml)
    document = {"label": document.get("name"), **document}
    found = read_dataclass(SearchSpace, document, path.name, SpaceError)
    if not NAME_PATTERN.fullmatch(found.name) or found.name in SPACES:
        raise SpaceError(
            f"{path.name}: expected a name of letters, digits, hyphens and underscores, and none "
            f"of {', '.join(SPACES.names())}, got {found.name!r}"
        )
    if not found.datasets:
        raise SpaceError(f"{path.name}: expected at least one data set, got none")
    return found


def store_space(path: Path, folder: Path | str | None = None, replace: bool = False) -> SearchSpace:
    """Check the declaration of a space and copy it to the data folder; raises SpaceError."""
    found = read_space(path)
    place = space_path(found.name, folder)
    if place.exists() and not replace and read_space(place) != found:
        raise SpaceError(
            f"there is another search space {found.name!r} already; rename one, or replace it"
        )
    write_text(place, read_limited(path, limits.TEXT_BYTES).decode("utf-8"))
    return found


def space_path(name: str, folder: Path | str | None = None) -> Path:
    """Where the data folder has the declaration of a space."""
    return _folder(folder) / f"{name}.toml"


@lru_cache(maxsize=32)
def _read(path: Path, modified: int) -> SearchSpace:
    found = read_space(path)
    if found.name != path.stem:
        raise SpaceError(f"{path.name}: expected the space {path.stem!r}, got {found.name!r}")
    return found


def _folder(folder: Path | str | None) -> Path:
    return data_dir(folder) / "spaces"
