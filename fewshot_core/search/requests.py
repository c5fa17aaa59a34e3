"""Requests of searches and of supernet training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from fewshot_core.data_folder import canonical_json, text_fingerprint
from fewshot_core.datasets import DATASETS
from fewshot_core.images import source_fingerprint
from fewshot_core.networks import checkpoint_fingerprint
from fewshot_core.search.algorithms.registry import ALGORITHMS, options_of_others
from fewshot_core.search.options import (
    SearchError,
    SearchOptions,
    TrainingOptions,
    check_integer,
)
from fewshot_core.space import SubSpace

T = TypeVar("T")


def digest(document: Mapping[str, Any], fingerprints: Mapping[str, str | None]) -> str:
    """Return twelve hexadecimal digits of a request and of what it is made from."""
    return text_fingerprint(canonical_json([dict(document), dict(fingerprints)]))[:12]


def read_values(document: Mapping[str, Any], expected: str) -> dict[str, Any]:
    """Return what a request of an expected format says, without the format.

    Raises:
        SearchError: If it is of another format, or damaged.
    """
    found = document.get("format")
    if found != expected:
        raise SearchError(f"expected a request of format {expected!r}, got {found!r}")
    values = {name: value for name, value in document.items() if name != "format"}
    if not isinstance(values.get("options"), Mapping):
        raise SearchError(f"the request is damaged: its options are {values.get('options')!r}")
    return given(values)


def given(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without what does not count."""
    return {name: value for name, value in document.items() if value is not None}


def build(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return a request of some values.

    Raises:
        SearchError: If they are of the wrong names.
    """
    try:
        return kind(**values)
    except TypeError as error:
        raise SearchError(f"the request is damaged: {error}") from error


FORMAT = "fewshot-search-request/1"


@dataclass(frozen=True)
class SearchRequest:
    """A search in one sub-space with one seed.

    Attributes:
        dataset: The data set's name.
        algorithm: The algorithm's name.
        rows: The sub-space, as ``SubSpace.rows``.
        options: Hyperparameters.
        seed: Seed of everything that is drawn, but for which images are held out.
        images: An image source's name or path, or None for the first real one.
        checkpoint: The file of a trained supernet whose weights are inherited, or None to start
            afresh.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        mixed_precision: Whether bfloat16 is used where the device is CUDA.
        compiled: Whether the network goes through ``torch.compile``.

    Raises:
        SearchError: If a number is out of range.
        SpaceError: If the rows are no sub-space.
        UnknownNameError: If the data set or the algorithm does not exist.
    """

    dataset: str
    algorithm: str
    rows: tuple[str, ...]
    options: SearchOptions = field(default_factory=SearchOptions)
    seed: int = 0
    images: str | None = None
    checkpoint: str | None = None
    device: str = "cpu"
    mixed_precision: bool = True
    compiled: bool = False

    def __post_init__(self) -> None:
        DATASETS.get(self.dataset)
        ALGORITHMS.get(self.algorithm)
        SubSpace.from_rows(list(self.rows))
        check_integer(self, "seed", 0, 2**63 - 1)

    @property
    def sub_space(self) -> SubSpace:
        """The operations to choose from."""
        return SubSpace.from_rows(list(self.rows))

    def canonical(self) -> dict[str, Any]:
        """Return the request without what cannot change its result."""
        document = {"format": FORMAT, **asdict(self), "rows": list(self.rows)}
        options = {**document["options"]}
        options["architecture_betas"] = list(self.options.architecture_betas)
        document["options"] = options | dict.fromkeys(options_of_others(self.algorithm))
        if self.device != "cuda" or ALGORITHMS.get(self.algorithm).full_precision:
            document["mixed_precision"] = None
        return document

    def fingerprints(self, data_dir: Path) -> dict[str, str | None]:
        """Return the SHA-256 of the images and of the checkpoint, where there is one.

        An algorithm of another package adds its package and version under ``"plugin"``.

        Raises:
            ImagesError: If there are no such images.
            CheckpointError: If there is no such checkpoint.
        """
        checkpoint = checkpoint_fingerprint(self.checkpoint)
        images = source_fingerprint(self.dataset, self.images, data_dir)
        found = {"images": images, "checkpoint": checkpoint}
        origin = ALGORITHMS.origin(self.algorithm)
        return found if origin is None else found | {"plugin": " ".join(origin)}

    def run_id(self, fingerprints: Mapping[str, str | None]) -> str:
        """Return the name of the run: the same for the same request on the same input.

        Images and checkpoint count by content, not by where they are.
        """
        document = self.canonical() | {"images": None, "checkpoint": None}
        return f"search-{self.algorithm}-{self.dataset}-{digest(document, fingerprints)}"

    def family(self, fingerprints: Mapping[str, str | None]) -> str:
        """Return what is the same for requests that differ only by sub-space and seed."""
        document = self.canonical() | {"images": None, "checkpoint": None}
        return digest(document | {"rows": None, "seed": None}, fingerprints)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "SearchRequest":
        """Read what ``canonical`` returns.

        Raises:
            SearchError: If it is of another format or damaged.
        """
        values = read_values(document, FORMAT)
        options = SearchOptions.from_dict(given(values.pop("options")))
        rows = tuple(values.get("rows", ()))
        return build(cls, values | {"rows": rows, "options": options})


FORMAT_of_training_request = "fewshot-training-request/1"


@dataclass(frozen=True)
class TrainingRequest:
    """The training of a supernet of the full space.

    Attributes:
        dataset: The data set's name.
        options: Hyperparameters.
        seed: Seed of the initial weights and of everything that is drawn.
        images: An image source's name or path, or None for the first real one.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        mixed_precision: Whether bfloat16 is used where the device is CUDA.
        compiled: Whether the network goes through ``torch.compile``.

    Raises:
        SearchError: If a number is out of range.
        UnknownNameError: If the data set does not exist.
    """

    dataset: str
    options: TrainingOptions = field(default_factory=TrainingOptions)
    seed: int = 0
    images: str | None = None
    device: str = "cpu"
    mixed_precision: bool = True
    compiled: bool = False

    def __post_init__(self) -> None:
        DATASETS.get(self.dataset)
        check_integer(self, "seed", 0, 2**63 - 1)

    def canonical(self) -> dict[str, Any]:
        """Return the request without what cannot change its result."""
        document = {"format": FORMAT_of_training_request, **asdict(self)}
        if self.device != "cuda":
            document["mixed_precision"] = None
        return document

    def fingerprints(self, data_dir: Path) -> dict[str, str | None]:
        """Return the SHA-256 of the images.

        Raises:
            ImagesError: If there are no such images.
        """
        return {"images": source_fingerprint(self.dataset, self.images, data_dir)}

    def run_id(self, fingerprints: Mapping[str, str | None]) -> str:
        """Return the name of the run: the same for the same request on the same input."""
        document = self.canonical() | {"images": None}
        return f"train-{self.dataset}-{digest(document, fingerprints)}"

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "TrainingRequest":
        """Read what ``canonical`` returns.

        Raises:
            SearchError: If it is of another format or damaged.
        """
        values = read_values(document, FORMAT_of_training_request)
        options = TrainingOptions.from_dict(given(values.pop("options")))
        return build(cls, values | {"options": options})


def plan(
    request: SearchRequest, sub_spaces: Iterable[SubSpace], seeds: Sequence[int]
) -> list[SearchRequest]:
    """Return a request for each sub-space and seed, otherwise like the given one.

    Each is a run of its own. The order is that of the sub-spaces, then of the seeds.
    """
    return [
        replace(request, rows=tuple(sub_space.rows), seed=seed)
        for sub_space in sub_spaces
        for seed in seeds
    ]
