"""Requests of runs: a split, a search, a supernet's training; and the kinds of runs there are.

The name of a run is a hash of its kind, of what in its request differs from the defaults, and of
the fingerprints of its images and checkpoint. So the same request finds the finished run, and a
new option with a default changes no name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from fewshot_core.data_folder import canonical_json, text_fingerprint
from fewshot_core.documents import read_dataclass
from fewshot_core.errors import FewshotError, RunError, check_name
from fewshot_core.evidence import Evidence, size_label
from fewshot_core.images import SYNTHETIC, source_fingerprint
from fewshot_core.metrics import METRICS
from fewshot_core.networks import BATCH_NORM_MODES, checkpoint_fingerprint, has_supernet
from fewshot_core.registry import PluginRegistry, Registry
from fewshot_core.search.algorithms import ALGORITHMS, options_of_others
from fewshot_core.search.options import (
    PRECISIONS,
    PRESETS,
    SearchError,
    SearchOptions,
    TrainingOptions,
    check_integer,
    protocol_label,
)
from fewshot_core.search.records import CHECKPOINT
from fewshot_core.space import NAS_BENCH_201, SPACES, SearchSpace, SubSpace, get_space, space_label
from fewshot_core.splitting import TreeOptions

if TYPE_CHECKING:
    from fewshot_core.runs.folder import RunFolder

FORMAT = 2
"""The format of requests, which is part of every run's name.

A name only says what differs from the defaults. Whoever changes the default of an option of a
request (here, in ``TreeOptions``, ``SearchOptions`` or ``TrainingOptions``) must therefore raise
this number. A new option needs no new format.
"""

FORMAT_1 = ("fewshot-split-request/1", "fewshot-search-request/1", "fewshot-training-request/1")
"""The formats of version 0.1, which named runs after all of a request; still read."""

_PLACES = ("images", "checkpoint", "network.checkpoint")
"""Where files are: they count by their fingerprints."""

Fingerprints = Mapping[str, str | None]


@dataclass(frozen=True)
class BaseRequest:
    """Request of a run on a data set."""

    kind: ClassVar[str]
    methods: ClassVar[PluginRegistry[Any] | None] = None
    """The registry of what does the work, of which other packages may have added some."""

    dataset: str
    space: str = field(default=NAS_BENCH_201.name, kw_only=True)
    """The search space; one that is declared is looked up when the run is started."""

    def __post_init__(self) -> None:
        if self.space == NAS_BENCH_201.name:
            self.check_space(NAS_BENCH_201)

    def check_space(self, space: SearchSpace) -> None:
        """Raise an error unless it is possible in a space: a FewshotError of some kind."""
        space.dataset(self.dataset)
        if self.needs_supernet and not has_supernet(space, self.dataset):
            lacking = f"images of {self.dataset}" if has_supernet(space, "cifar10") else "supernet"
            raise RunError(
                f"{space.label} has no {lacking}, which {self.method or 'training'} needs: "
                "expected a search space with a supernet on images, or the metric random"
            )

    @property
    def fixed_depth(self) -> bool:
        """Whether the number of layers is that of the space, and cells per stage do not count."""
        space = SPACES.find(self.space)
        return space is None or space.fixed_depth

    @property
    def has_network(self) -> bool:
        """Whether there is a supernet on images of the data set, so that its size counts."""
        space = SPACES.find(self.space)
        return self.needs_supernet or (space is not None and has_supernet(space, self.dataset))

    @property
    def needs_supernet(self) -> bool:
        """Whether a supernet is used."""
        return True

    @property
    def method(self) -> str | None:
        """The name of the metric or search algorithm, or None for a training."""
        return None

    @property
    def method_label(self) -> str:
        """Its label, or its name where it is not installed."""
        return self.methods.label(self.method or "") if self.methods is not None else "Supernet"

    @property
    def plugin(self) -> tuple[str, str] | None:
        """Name and version of the package that the method is from, if it is another one."""
        return self.methods.origin(self.method or "") if self.methods is not None else None

    @property
    def missing(self) -> str | None:
        """Why the request cannot be run or repeated here; None where it can."""
        if self.methods is None or self._info() is not None:
            return None
        return f"made with the {self.methods.kind} {self.method!r}, which is not installed"

    def _info(self) -> Any:
        """Return the record of the method, or None where it is not installed."""
        return self.methods.find(self.method or "") if self.methods is not None else None

    def check(self) -> None:
        """Check that the metric or algorithm, and its variant, are installed, or raise an error."""
        if self.methods is not None:
            self.methods.get(self.method or "")

    def unused(self) -> set[str]:
        """Names of fields that cannot change the result; those of nested ones after a dot."""
        return set()

    @property
    def needs_images(self) -> bool:
        """Whether images are used."""
        return True

    @property
    def checkpoint_path(self) -> str | None:
        """The file of the weights to start from, or None."""
        return None

    def _evidence(self, size: Any, protocol: str = "", reduced: bool = False) -> Evidence:
        """Describe what its result rests on; ``size`` has the channels and cells of the network."""
        if not self.has_network:
            return Evidence(self.dataset, 0, 0, "", "", space=space_label(self.space))
        images = "synthetic" if getattr(self, "images", None) == SYNTHETIC else "real"
        return Evidence(
            self.dataset,
            size.channels,
            0 if self.fixed_depth else size.cells_per_stage,
            images if self.needs_images else "",
            "trained" if self.checkpoint_path else "untrained",
            protocol,
            reduced,
            space_label(self.space),
        )

    def _evidence_of(self, options: SearchOptions | TrainingOptions) -> Evidence:
        """Describe what the result of a search or training with some options rests on."""
        paper = PRESETS.get("paper")
        usual: Any = paper.search if isinstance(options, SearchOptions) else paper.training
        names = [n.partition(".")[2] for n in self.unused() if n.startswith("options.")]
        reduced = options.images is not None or options.epochs < usual.epochs
        return self._evidence(options, protocol_label(options, names), reduced)

    def fingerprints(self, data_dir: Path) -> dict[str, str | None]:
        """Compute the SHA-256 of the images and of the checkpoint, where they are used.

        A metric or algorithm of another package adds its package and version under ``"plugin"``, a
        search space that is not ours its decisions under ``"space"``.

        Raises:
            ImagesError, CheckpointError: If there are no such images, or no such checkpoint.
            UnknownNameError, MetricError, RunError, SplittingError: As ``check`` and
                ``check_space``.
        """
        self.check()
        space = get_space(self.space, data_dir)
        self.check_space(space)
        images = None
        if self.needs_images:
            images = source_fingerprint(self.dataset, getattr(self, "images", None), data_dir)
        checkpoint = checkpoint_fingerprint(self.checkpoint_path)
        found = {"images": images, "checkpoint": checkpoint}
        if SPACES.find(self.space) is None or SPACES.origin(self.space) is not None:
            decisions = [[item.name, *item.operations] for item in space.decisions]
            found["space"] = text_fingerprint(canonical_json(decisions))
        return found if self.plugin is None else found | {"plugin": " ".join(self.plugin)}

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values, without the fields that cannot change the result."""
        default = {"space"} if self.space == NAS_BENCH_201.name else set()
        return {"format": f"fewshot-request/{FORMAT}", **_plain(self, self.unused() | default)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` returns, or a request of version 0.1; may raise RunError."""
        values = dict(document)
        found = values.pop("format", None)
        if found in FORMAT_1:
            values = _without_none(values)
        elif found != f"fewshot-request/{FORMAT}":
            raise RunError(
                f"expected a request of format 'fewshot-request/{FORMAT}', got {found!r}"
            )
        if (mixed := values.pop("mixed_precision", None)) is not None:  # before version 0.3
            values["precision"] = "bfloat16" if mixed else "float32"
        return read_dataclass(cls, values, "the request", RunError)

    def identity(self, fingerprints: Fingerprints | None, without: Iterable[str] = ()) -> str:
        """Compute twelve hexadecimal digits that are the same for requests of the same result.

        Without fingerprints, images and checkpoints count by their places; fields named in
        ``without`` do not count.
        """
        skipped = self.unused() | {*without}
        if fingerprints is not None:
            skipped |= {*_PLACES}
        made_from = {name: value for name, value in (fingerprints or {}).items() if value}
        content = [self.kind, FORMAT, _differences(self, skipped), made_from]
        return text_fingerprint(canonical_json(content))[:12]

    def run_id(self, fingerprints: Fingerprints) -> str:
        """Compute the name of the run: the same for the same request on the same input."""
        parts = [self.kind, self.method, self.dataset, self.identity(fingerprints)]
        return "-".join(part for part in parts if part)


@dataclass(frozen=True)
class Network:
    """The supernet to probe: its width (16 channels at full size), and cells in each stage.

    The latter do not count in a space of networks of a fixed depth. The weights are those of a
    checkpoint, or else initialised by the seed.
    """

    channels: int = 16
    cells_per_stage: int = 5
    seed: int = 0
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        for name in ("channels", "cells_per_stage"):
            if not 1 <= getattr(self, name) <= 256:
                raise RunError(f"expected {name} from 1 to 256, got {getattr(self, name)}")

    def describe(self, fixed_depth: bool = False) -> str:
        """Describe the network: "16 channels, 5 cells per stage, untrained (seed 0)"."""
        weights = f"untrained (seed {self.seed})"
        if self.checkpoint:
            weights = f"weights of {Path(self.checkpoint).name}"
        size = size_label(self.channels, 0 if fixed_depth else self.cells_per_stage)
        return f"{size}{'' if fixed_depth else ' per stage'}, {weights}"


USUAL_BATCH = "batch of 64"
"""The batch that evidence does not name."""


@dataclass(frozen=True)
class MetricRequest(BaseRequest):
    """Request of what a metric says about sub-supernets.

    ``images`` is an image source's name or path, or None for the first real one; each batch has the
    seed of the one before plus 1; ``seed`` is that of whatever the metric or the edge policy draws.

    Raises:
        RunError, UnknownNameError: If a number is out of range, or a name is unknown.
    """

    methods = METRICS

    metric: str
    variant: str = "paper"
    batch_norm: str = "batch"
    images: str | None = None
    batch_size: int = 64
    batches: int = 1
    batch_seed: int = 0
    seed: int = 0
    network: Network = field(default_factory=Network)
    device: str = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("batch norm", self.batch_norm, BATCH_NORM_MODES, RunError)
        for name in ("batch_size", "batches"):
            if getattr(self, name) < 1:
                raise RunError(f"expected {name} of at least 1, got {getattr(self, name)}")
        if self.batch_seed < 0:
            raise RunError(f"expected batch_seed of at least 0, got {self.batch_seed}")

    def check(self) -> None:
        """Check the metric and its variant."""
        METRICS.get(self.metric).check_variant(self.variant)

    @property
    def method(self) -> str:
        """The metric's name."""
        return self.metric

    @property
    def needs_images(self) -> bool:
        """Whether the metric uses images; True where it is unknown."""
        info = self._info()
        return info is None or bool(info.needs_images)

    def unused(self) -> set[str]:
        """Options of images or initialisation that have no effect."""
        names = {"network.cells_per_stage"} if self.fixed_depth else set()
        if not self.needs_images:
            names |= {"images", "batch_size", "batches", "batch_seed", "batch_norm"}
        if self.network.checkpoint:
            names.add("network.seed")
        return names

    @property
    def checkpoint_path(self) -> str | None:
        """The file of the network's weights, or None."""
        return self.network.checkpoint

    @property
    def batch_label(self) -> str:
        """The batch in words, as in "batch of 16, running statistics"; empty without images."""
        if not self.needs_images:
            return ""
        label = f"{self.batches} batches" if self.batches > 1 else "batch"
        mode = f", {self.batch_norm} statistics" * (self.batch_norm != "batch")
        return f"{label} of {self.batch_size}{mode}"

    @property
    def evidence(self) -> Evidence:
        """What it rests on, but for its seeds."""
        batch = self.batch_label
        return replace(self._evidence(self.network), batch="" if batch == USUAL_BATCH else batch)


@dataclass(frozen=True)
class SplitRequest(MetricRequest):
    """Request of a split."""

    kind = "split"

    tree: TreeOptions = field(default_factory=TreeOptions)

    def check_space(self, space: SearchSpace) -> None:
        """Check also that trees of the space can have this shape."""
        super().check_space(space)
        self.tree.check(space)

    @property
    def needs_supernet(self) -> bool:
        """Whether a supernet is scored or warmed up; True where the metric is unknown."""
        info = self._info()
        return info is None or not info.baseline or self.tree.warm_up_epochs > 0

    @property
    def needs_images(self) -> bool:
        """Whether the metric, or a warm-up, uses images; True where the metric is unknown."""
        return super().needs_images or self.tree.warm_up_epochs > 0

    def unused(self) -> set[str]:
        """Options of images, warm-up or initialisation that have no effect."""
        names = super().unused()
        if not self.tree.warm_up_epochs:
            names |= {"tree.warm_up_epochs", "tree.warm_up_images"}
        return names

    @property
    def evidence(self) -> Evidence:
        """What the split rests on, but for its seeds."""
        return replace(super().evidence, protocol=self.warm_up_label, tree=self.tree_label)

    @property
    def warm_up_label(self) -> str:
        """The warm-up of sub-supernets in words; empty without one."""
        epochs = self.tree.warm_up_epochs
        return f"{epochs} warm-up epochs, {self.tree.warm_up_images:,} images" * (epochs > 0)

    @property
    def tree_label(self) -> str:
        """How the tree differs from the usual one, as in "edges 3<-2, 3<-1"; empty for that one."""
        tree, usual = self.tree, TreeOptions()
        noun, names = "decision", [str(edge) for edge in tree.edges]
        with suppress(FewshotError, IndexError):  # its declaration may be gone, or another one
            space = get_space(self.space)
            noun, names = space.noun, [space.decisions[edge].name for edge in tree.edges]
        if tree.policy != usual.policy:
            decisions = f"{len(names)} {tree.policy} {noun}s"
        else:
            decisions = f"{noun}s {', '.join(names)}" * (tree.edges != usual.edges)
        parts = [
            decisions,
            "" if set(tree.groups) == {2} else f"{', '.join(map(str, tree.groups))} groups",
            "balanced" * tree.balanced,
        ]
        return ", ".join(filter(None, parts))

    def repeated(self, number: int) -> "SplitRequest":
        """Copy the request with a number added to every seed."""
        return replace(
            self,
            seed=self.seed + number,
            batch_seed=self.batch_seed + number,
            network=replace(self.network, seed=self.network.seed + number),
        )

    @property
    def family(self) -> str:
        """The same for splits that differ only by their seeds."""
        return self.identity(None, ("seed", "batch_seed", "network.seed"))


@dataclass(frozen=True)
class EstimateRequest(MetricRequest):
    """Request to score architectures by a metric: every one of a space, or a random sample."""

    kind = "estimate"

    sample: int | None = None
    sample_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("sample", 2), ("sample_seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise RunError(f"expected {name} of at least {least}, got {value}")

    def check(self) -> None:
        """Check also that the metric scores single architectures."""
        super().check()
        if not METRICS.get(self.metric).direction:
            able = ", ".join(info.name for info in METRICS if info.direction)
            raise RunError(
                f"{self.metric} does not score single architectures: expected one of {able}"
            )

    def unused(self) -> set[str]:
        """The seed of a sample where all are scored, too."""
        return super().unused() | ({"sample_seed"} if self.sample is None else set())

    def architectures(self, space: SearchSpace) -> list[int]:
        """The indices of the architectures to score, ascending."""
        if self.sample is None:
            return list(range(space.size))
        from fewshot_core.search.proxy import draw  # a local import: it loads pandas

        return draw(np.arange(space.size), self.sample, self.sample_seed)

    def check_space(self, space: SearchSpace) -> None:
        """Check also that a score is of a whole architecture, not of the first layer of a chain."""
        super().check_space(space)
        if (self.metric, self.variant) == ("linear_regions", "paper") and not space.edges:
            raise RunError(
                f"linear_regions scores a layer of {space.label}, not an architecture: expected "
                "its variant batch"
            )

    @property
    def column(self) -> str:
        """What its column of estimates is called, of which larger ones are better."""
        info = self._info()
        negative = info is not None and info.direction < 0
        variant = "" if self.variant == "paper" else f"_{self.variant}"
        return f"{'negative_' * negative}{self.metric}{variant}"


@dataclass(frozen=True)
class SearchRequest(BaseRequest):
    """Request of a search in one sub-space, given as ``SubSpace.rows``, with one seed.

    The seed does not decide which images are held out; ``options.split_seed`` does. ``images`` is
    as in a split; weights are inherited from ``checkpoint``, if any. The precision, one of
    ``PRECISIONS``, is that of CUDA, and ``compiled`` means ``torch.compile``.

    Raises:
        SearchError, SpaceError, UnknownNameError: If a number is out of range, the rows are no
            sub-space, or a name is unknown.
    """

    kind = "search"
    methods = ALGORITHMS

    algorithm: str
    rows: tuple[str, ...]
    options: SearchOptions = field(default_factory=SearchOptions)
    seed: int = 0
    images: str | None = None
    checkpoint: str | None = None
    device: str = "cpu"
    precision: str = "float32"
    compiled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.space in SPACES:
            SubSpace.from_rows(self.rows, self.space)
        check_integer(self, "seed", 0, 2**63 - 1)
        check_name("precision", self.precision, PRECISIONS, SearchError)

    @property
    def sub_space(self) -> SubSpace:
        """The operations to choose from; raises UnknownNameError for a space not installed."""
        return SubSpace.from_rows(self.rows, SPACES.get(self.space))

    @property
    def method(self) -> str:
        """The algorithm's name."""
        return self.algorithm

    @property
    def checkpoint_path(self) -> str | None:
        """The file of the inherited weights, or None."""
        return self.checkpoint

    def unused(self) -> set[str]:
        """Options of other algorithms, and of other devices."""
        info = self._info()
        names = set() if info is None else {f"options.{n}" for n in options_of_others(info.name)}
        if self.fixed_depth:
            names.add("options.cells_per_stage")
        if self.device != "cuda" or (info is not None and info.full_precision):
            names.add("precision")
        return names

    @property
    def evidence(self) -> Evidence:
        """What the search rests on, but for its seed."""
        return self._evidence_of(self.options)

    @cached_property
    def group(self) -> str:
        """The same for searches that may be averaged: by one algorithm, with equal evidence."""
        return f"{self.algorithm}-{self.evidence.key}"

    def family(self, fingerprints: Fingerprints) -> str:
        """Compute what is the same for searches that differ only by sub-space and seed."""
        return self.identity(fingerprints, ("rows", "seed"))


@dataclass(frozen=True)
class TrainingRequest(BaseRequest):
    """Request of the training of the supernet of a full space; see ``SearchRequest``."""

    kind = "train"

    options: TrainingOptions = field(default_factory=TrainingOptions)
    seed: int = 0
    images: str | None = None
    device: str = "cpu"
    precision: str = "float32"
    compiled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self, "seed", 0, 2**63 - 1)
        check_name("precision", self.precision, PRECISIONS, SearchError)

    @property
    def sub_space(self) -> SubSpace:
        """The full space; raises UnknownNameError for one that is not installed."""
        return SubSpace.full(SPACES.get(self.space))

    @property
    def evidence(self) -> Evidence:
        """What the training rests on, but for its seed."""
        return self._evidence_of(self.options)

    def unused(self) -> set[str]:
        """Options of other devices, and of other networks."""
        names = {"options.cells_per_stage"} if self.fixed_depth else set()
        return names if self.device == "cuda" else names | {"precision"}


@dataclass(frozen=True)
class ProxyRequest(BaseRequest):
    """Request to evaluate random architectures with the shared weights of a search or training.

    ``run`` is its name, ``sample`` the number of architectures, ``seed`` that of their choice.
    """

    kind = "proxy"

    run: str
    sample: int = 100
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        space = SPACES.find(self.space) or NAS_BENCH_201
        check_integer(self, "sample", 2, space.size)
        check_integer(self, "seed", 0, 2**63 - 1)

    @property
    def method_label(self) -> str:
        """What is evaluated."""
        return "of a supernet"

    @property
    def images(self) -> None:
        """None of its own: they are those of the run."""

    @property
    def needs_images(self) -> bool:
        """Whether it has images of its own."""
        return False

    @property
    def evidence(self) -> Evidence:
        """What it rests on is that of its run."""
        return Evidence(self.dataset, space=space_label(self.space))

    def fingerprints(self, data_dir: Path) -> dict[str, str | None]:
        """Compute the SHA-256 of the run's weights; raises CheckpointError if there are none."""
        weights = data_dir / "runs" / self.run / CHECKPOINT
        return {"checkpoint": checkpoint_fingerprint(str(weights))}


Request = SplitRequest | SearchRequest | TrainingRequest | ProxyRequest | EstimateRequest


def plan(
    request: SearchRequest, sub_spaces: Iterable[SubSpace], seeds: Sequence[int]
) -> list[SearchRequest]:
    """Copy a request for each sub-space and seed, in the order of sub-spaces, then of seeds."""
    return [
        replace(request, rows=tuple(sub_space.rows), seed=seed)
        for sub_space in sub_spaces
        for seed in seeds
    ]


def _plain(value: Any, skipped: Iterable[str], where: str = "") -> Any:
    """Convert a dataclass to plain values, without some of its fields."""
    if isinstance(value, tuple):
        return list(value)
    if not is_dataclass(value):
        return value
    return {
        each.name: _plain(getattr(value, each.name), skipped, f"{where}{each.name}.")
        for each in fields(value)
        if f"{where}{each.name}" not in skipped
    }


def _differences(value: Any, skipped: Iterable[str], where: str = "") -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults, as plain values."""
    found: dict[str, Any] = {}
    for each in fields(value):
        if f"{where}{each.name}" in skipped:
            continue
        mine = getattr(value, each.name)
        if is_dataclass(mine):
            found[each.name] = _differences(mine, skipped, f"{where}{each.name}.")
            continue
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if mine != default:
            found[each.name] = float(mine) if isinstance(default, float) else _plain(mine, ())
    return {name: content for name, content in found.items() if content != {}}


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }


def name_of_format_1(kind: str, document: Mapping[str, Any], fingerprints: Fingerprints) -> str:
    """Compute the name that version 0.1 gave to a run, from the request in its manifest."""
    content = {**document, "images": None}
    if kind == "search":
        content["checkpoint"] = None
    if kind == "split":
        network = content["network"]
        seed = None if network["checkpoint"] else network["seed"]
        content["network"] = network | {"checkpoint": None, "seed": seed}
    digest = text_fingerprint(canonical_json([content, dict(fingerprints)]))[:12]
    method = document.get("metric") or document.get("algorithm")
    return "-".join(part for part in (kind, method, document["dataset"], digest) if part)


Job = Callable[["RunFolder", Path], None]
"""Does the work of a run, in its own process; called with the run and the data folder."""


@dataclass(frozen=True)
class Kind:
    """A kind of run: its name is the first part of its runs' names."""

    name: str
    label: str
    request: type[Request]

    def load(self) -> Job:
        """Import the job, and with it PyTorch."""
        if issubclass(self.request, MetricRequest):
            from fewshot_core.runs import split_job

            return split_job.run if self.request is SplitRequest else split_job.run_estimate
        from fewshot_core.runs import search_job

        return search_job.run_proxy if self.request is ProxyRequest else search_job.run


KINDS = Registry(
    "kind of run",
    Kind("split", "Split", SplitRequest),
    Kind("search", "Search", SearchRequest),
    Kind("train", "Training", TrainingRequest),
    Kind("proxy", "Proxy quality", ProxyRequest),
    Kind("estimate", "Estimate", EstimateRequest),
)


def read_request(kind: str, document: Mapping[str, Any]) -> Request:
    """Read what ``to_dict`` of a request returns; raises RunError for an unknown kind or damage."""
    try:
        return KINDS.get(kind).request.from_dict(document)
    except FewshotError as error:
        raise RunError(f"the request cannot be used: {error}") from error
