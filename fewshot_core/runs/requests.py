"""Requests of runs: the split, and the kinds of runs there are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fewshot_core.data_folder import canonical_json, text_fingerprint
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.images import source_fingerprint
from fewshot_core.metrics import METRICS
from fewshot_core.networks import BATCH_NORM_MODES, checkpoint_fingerprint
from fewshot_core.registry import Registry
from fewshot_core.search import SearchRequest, TrainingRequest
from fewshot_core.splitting import TreeOptions

FORMAT = "fewshot-split-request/1"


@dataclass(frozen=True)
class Network:
    """The supernet to probe.

    Attributes:
        channels: Channels of its first stage.
        cells_per_stage: Cells in each of its three stages.
        seed: Seed of its initial weights.
        checkpoint: A file with trained weights, or None for an untrained network.
    """

    channels: int = 16
    cells_per_stage: int = 5
    seed: int = 0
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        for name in ("channels", "cells_per_stage"):
            if not 1 <= getattr(self, name) <= 256:
                raise RunError(f"expected {name} from 1 to 256, got {getattr(self, name)}")

    def describe(self) -> str:
        """Return the network in words: "16 channels, 5 cells per stage, untrained (seed 0)"."""
        cells = "cell" if self.cells_per_stage == 1 else "cells"
        weights = f"untrained (seed {self.seed})"
        if self.checkpoint:
            weights = f"weights of {Path(self.checkpoint).name}"
        return f"{self.channels} channels, {self.cells_per_stage} {cells} per stage, {weights}"


@dataclass(frozen=True)
class SplitRequest:
    """A split that is asked for.

    Attributes:
        dataset: The data set's name.
        metric: The metric's name.
        variant: One of its variants.
        batch_norm: ``"batch"`` or ``"running"``.
        images: An image source's name, or None for the first real one.
        batch_size: Images in a batch.
        batches: Batches to average over.
        batch_seed: Seed of the first batch; each further one adds 1.
        seed: Seed of whatever the metric or the edge policy draws.
        network: The supernet to probe.
        tree: The shape of the tree.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises:
        RunError: If a number is out of range.
        UnknownNameError: If the data set or the metric does not exist.
    """

    dataset: str
    metric: str
    variant: str = "paper"
    batch_norm: str = "batch"
    images: str | None = None
    batch_size: int = 64
    batches: int = 1
    batch_seed: int = 0
    seed: int = 0
    network: Network = field(default_factory=Network)
    tree: TreeOptions = field(default_factory=TreeOptions)
    device: str = "cpu"

    def __post_init__(self) -> None:
        DATASETS.get(self.dataset)
        info = METRICS.get(self.metric)
        if self.variant not in info.variants:
            known = ", ".join(info.variants)
            raise RunError(
                f"unknown variant {self.variant!r} of {self.metric}: expected one of {known}"
            )
        if self.batch_norm not in BATCH_NORM_MODES:
            known = ", ".join(BATCH_NORM_MODES)
            raise RunError(f"unknown batch norm {self.batch_norm!r}: expected one of {known}")
        for name in ("batch_size", "batches"):
            if getattr(self, name) < 1:
                raise RunError(f"expected {name} of at least 1, got {getattr(self, name)}")
        if self.batch_seed < 0:
            raise RunError(f"expected batch_seed of at least 0, got {self.batch_seed}")

    @property
    def needs_images(self) -> bool:
        """Whether the metric, or a warm-up, looks at images."""
        return METRICS.get(self.metric).needs_images or self.tree.warm_up_epochs > 0

    def canonical(self) -> dict[str, Any]:
        """Return the request without what cannot change its result."""
        document = {"format": FORMAT, **asdict(self)}
        if not self.tree.warm_up_epochs:
            for name in ("warm_up_epochs", "warm_up_images"):
                del document["tree"][name]
        if not self.needs_images:
            for name in ("images", "batch_size", "batches", "batch_seed", "batch_norm"):
                document[name] = None
        return document

    def fingerprints(self, data_dir: Path) -> dict[str, str | None]:
        """Return the SHA-256 of the images and of the checkpoint, where they count.

        A metric of another package adds its package and version under ``"plugin"``.

        Raises:
            ImagesError: If there are no such images.
            CheckpointError: If there is no such checkpoint.
        """
        images = None
        if self.needs_images:
            images = source_fingerprint(self.dataset, self.images, data_dir)
        found = {"images": images, "checkpoint": checkpoint_fingerprint(self.network.checkpoint)}
        origin = METRICS.origin(self.metric)
        return found if origin is None else found | {"plugin": " ".join(origin)}

    def run_id(self, fingerprints: Mapping[str, str | None]) -> str:
        """Return the name of the run: the same for the same request on the same input.

        Images and checkpoints count by content, not by where they are; the seed of weights that a
        checkpoint replaces does not count.
        """
        document = self.canonical() | {"images": None}
        seed = None if self.network.checkpoint else self.network.seed
        document["network"] = document["network"] | {"checkpoint": None, "seed": seed}
        digest = text_fingerprint(canonical_json([document, dict(fingerprints)]))
        return f"split-{self.metric}-{self.dataset}-{digest[:12]}"

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "SplitRequest":
        """Read what ``canonical`` returns.

        Raises:
            RunError: If it is of another format or damaged.
        """
        if document.get("format") != FORMAT:
            raise RunError(
                f"expected a request of format {FORMAT!r}, got {document.get('format')!r}"
            )
        try:
            values = {name: value for name, value in document.items() if value is not None}
            values.pop("format")
            values["network"] = Network(**document["network"])
            tree = dict(document["tree"])
            edges, groups = tuple(tree.pop("edges")), tuple(tree.pop("groups"))
            values["tree"] = TreeOptions(edges, groups, **tree)
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise RunError(f"the request is damaged: {error!r}") from error

    def repeated(self, number: int) -> "SplitRequest":
        """Return the same request with a number added to every seed."""
        return replace(
            self,
            seed=self.seed + number,
            batch_seed=self.batch_seed + number,
            network=replace(self.network, seed=self.network.seed + number),
        )

    @property
    def family(self) -> str:
        """What the request has in common with those that differ from it only by their seeds."""
        document = self.canonical() | {"seed": None, "batch_seed": None}
        return canonical_json(document | {"network": document["network"] | {"seed": None}})


Request = SplitRequest | SearchRequest | TrainingRequest
"""What can be asked of a run.

Each has ``dataset``, ``device``, ``canonical()``, ``fingerprints(data_dir)``,
``run_id(fingerprints)`` and the class method ``from_dict``.
"""


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Attributes:
        name: Its name in manifests, and the first part of its runs' names.
        label: Its name in the app.
        request: The class of what is asked.
        job: ``"module:function"`` that does the work; called with the run's folder and the data
            folder, in a process of its own.
    """

    name: str
    label: str
    request: type[SplitRequest] | type[SearchRequest] | type[TrainingRequest]
    job: str


KINDS: Registry[Kind] = Registry("kind of run")
KINDS.add(Kind("split", "Split", SplitRequest, "fewshot_core.runs.split_job:run"))
KINDS.add(Kind("search", "Search", SearchRequest, "fewshot_core.runs.search_job:search"))
KINDS.add(Kind("train", "Training", TrainingRequest, "fewshot_core.runs.search_job:train"))


def kind_of(request: Request) -> Kind:
    """Return the kind of run that answers a request."""
    return next(kind for kind in KINDS if isinstance(request, kind.request))


def read_request(kind: str, document: Mapping[str, Any]) -> Request:
    """Read what the ``canonical`` of a request returns.

    Raises:
        RunError: If there is no such kind, or the document is damaged.
    """
    try:
        return KINDS.get(kind).request.from_dict(document)
    except FewshotError as error:
        raise RunError(f"the request cannot be used: {error}") from error
