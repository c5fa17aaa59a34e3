"""The epoch loop of all search algorithms: start, epochs, and the state to resume from."""

import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic

import torch
from torch import Tensor, nn

from fewshot_core.data_folder import atomic_path, canonical_json, file_fingerprint
from fewshot_core.documents import open_regular, refusing
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.search.algorithms import ALGORITHMS
from fewshot_core.search.algorithms.base import ArchitectureStep, mean_loss
from fewshot_core.search.compute import (
    Compute,
    Randomness,
    architecture_optimiser,
    generator_for,
    set_learning_rate,
    weight_optimiser,
)
from fewshot_core.search.data import Examples, Images, SearchData, load_data, training_batches
from fewshot_core.search.evaluation import Score, Tally, evaluate
from fewshot_core.search.network import Alphas, EdgeWeights, Network, WeightedSupernet
from fewshot_core.search.options import Options, SearchError, SearchOptions
from fewshot_core.search.records import EpochRecord, StepProgress, TrainingRecord, ignore
from fewshot_core.space import NAS_BENCH_201, SubSpace


def weight_step(
    network: Network,
    weights: EdgeWeights | None,
    examples: Examples,
    optimiser: torch.optim.Optimizer,
    compute: Compute,
    clip: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Do one step of the weights; return the cross-entropy and the number of correct images.

    A weight that the loss does not depend on is not changed, not even by momentum or decay. The
    weights of the edges have no gradient; None is the uniform mean. ``clip`` is the largest L2 norm
    of the gradient, or None for any.
    """
    optimiser.zero_grad(set_to_none=True)
    loss, hits = mean_loss(network, weights, examples, compute)
    torch.autograd.backward(loss)
    if clip is not None:
        nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()
    return loss, hits


FORMAT = "fewshot-search-state/1"


@dataclass(frozen=True)
class SearchState:
    """A search or training between two epochs.

    The file is also a checkpoint for ``fewshot_core.nets.load_checkpoint``. A state fits only what
    has the same identity, plain values; ``rest`` is all that the next epoch depends on besides the
    weights and stored statistics of the supernet.
    """

    identity: Mapping[str, Any]
    supernet: Mapping[str, torch.Tensor]
    rest: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the state atomically."""
        parts = {name: dict(part) for name, part in vars(self).items()}
        # To an open file: a full disk is then an OSError, not an error of PyTorch.
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            torch.save({"format": FORMAT} | parts, file)

    @classmethod
    def load(cls, path: Path) -> "SearchState":
        """Read a state on the CPU, without running code in the file.

        Raises SearchError if the file is missing, damaged or of another format.
        """
        if not path.is_file():
            raise SearchError(f"expected the state of a search, found no file at {path}")
        with (
            refusing(SearchError, f"{path}: the state of a search", "delete it to start again"),
            open_regular(path) as file,
        ):
            content = torch.load(file, map_location="cpu", weights_only=True)
            found = content.get("format") if isinstance(content, Mapping) else None
            if found != FORMAT:
                raise SearchError(f"{path}: expected a state of format {FORMAT!r}, got {found!r}")
            return cls(content["identity"], content["supernet"], content["rest"])

    def check(self, identity: Mapping[str, Any]) -> None:
        """Raise a SearchError if the state is of something else."""
        names = sorted({*self.identity, *identity})
        differ = [name for name in names if self.identity.get(name) != identity.get(name)]
        if differ:
            name = differ[0]
            raise SearchError(
                f"the state is of another search: its {name} is "
                f"{canonical_json(self.identity.get(name))}, expected "
                f"{canonical_json(identity.get(name))}"
            )


class Resumable(Generic[Options]):
    """A search or training that goes on from a state, with the parts that the state holds.

    It trains the supernet on ``images``, some or all of the data's.
    """

    kind: ClassVar[str]
    record_type: ClassVar[type[EpochRecord | TrainingRecord]]
    purposes: ClassVar[tuple[str, ...]]
    _parts: Mapping[str, Any]

    def __init__(
        self,
        supernet: Supernet,
        data: SearchData,
        images: Images,
        options: Options,
        seed: int,
        compute: Compute,
        progress: Callable[[StepProgress], None],
    ) -> None:
        self.data = data
        self.options: Options = options
        self.compute = compute
        self.identity: dict[str, Any] = {
            "kind": self.kind,
            **named_rows(supernet.sub_space),
            "options": asdict(options),
            "dataset": data.dataset.name,
            "images": data.provenance.fingerprint,
            "seed": seed,
        }
        self.records: list[Any] = []
        self.supernet = compute.place(supernet)
        self.network = WeightedSupernet(self.supernet)
        compute.prepare(self.network)
        self._images = images
        self._progress = progress
        self._random = Randomness(seed, self.purposes)
        self._optimiser = weight_optimiser(self.network, options)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self._images) // self.options.batch_size)

    def state(self) -> SearchState:
        """Everything that the next epoch depends on."""
        rest = {name: part.state_dict() for name, part in self._parts.items()}
        rest["records"] = [record.to_dict() for record in self.records]
        return SearchState(self.identity, deepcopy(self.supernet.state_dict()), deepcopy(rest))

    def restore(self, state: SearchState) -> None:
        """Continue from a state; raises SearchError if it is of something else."""
        state.check(self.identity)
        self.supernet.load_state_dict(state.supernet)
        for name, part in self._parts.items():
            part.load_state_dict(state.rest[name])
        space = self.supernet.sub_space.space
        records = state.rest["records"]
        self.records = [self.record_type.from_dict(record, space) for record in records]


def named_rows(sub_space: SubSpace) -> dict[str, Any]:
    """Describe a sub-space in an identity; one of NAS-Bench-201 names no space."""
    named = {} if sub_space.space == NAS_BENCH_201 else {"space": sub_space.space.name}
    return {"sub_space": sub_space.rows, **named}


@dataclass(frozen=True)
class Start:
    """A network to search in, and the SHA-256 of the checkpoint its weights are from, if any."""

    supernet: Supernet
    fingerprint: str | None = None


def make_start(
    sub_space: SubSpace,
    classes: int,
    options: SearchOptions,
    seed: int = 0,
    checkpoint: Path | None = None,
) -> Start:
    """Create the network that a search starts with.

    It is initialised at random, as in the paper, or inherits its weights from the checkpoint of a
    trained supernet of the full space (Zhao et al., 2021). Raises CheckpointError if the checkpoint
    is missing, damaged or of another shape.
    """
    sizes = (classes, options.channels, options.cells_per_stage, seed)
    if checkpoint is None:
        return Start(Supernet(sub_space, *sizes))
    whole = Supernet(SubSpace.full(sub_space.space), *sizes)
    load_checkpoint(whole, checkpoint)
    return Start(whole.restrict(sub_space), file_fingerprint(checkpoint))


def prepare_search(
    algorithm: str,
    sub_space: SubSpace,
    dataset: str,
    options: SearchOptions,
    seed: int = 0,
    images: Path | str | None = None,
    data_dir: Path | str | None = None,
    checkpoint: Path | str | None = None,
    compute: Compute | None = None,
    progress: Callable[[StepProgress], None] = ignore,
    data: SearchData | None = None,
) -> "Search":
    """Build a search; arguments and errors as of ``fewshot_core.search.search``.

    Images are loaded unless given; the default device is the CPU.
    """
    ALGORITHMS.get(algorithm)
    compute = compute or Compute(torch.device("cpu"))
    data = data or load_data(
        dataset, options.images, options.split_seed, images, data_dir, compute.device
    )
    inherited = None if checkpoint is None else Path(checkpoint)
    start = make_start(sub_space, data.dataset.classes, options, seed, inherited)
    return Search(algorithm, start, data, options, seed, compute, progress)


class Search(Resumable[SearchOptions]):
    """A one-shot search in a sub-space, epoch by epoch.

    The seed is that of everything sampled: first logits, batches, crops, mixtures, paths.
    """

    kind = "search"
    record_type = EpochRecord
    purposes = ("train batches", "valid batches", "architecture", "evaluation")

    def __init__(
        self,
        algorithm: str,
        start: Start,
        data: SearchData,
        options: SearchOptions,
        seed: int = 0,
        compute: Compute | None = None,
        progress: Callable[[StepProgress], None] = ignore,
    ) -> None:
        info = ALGORITHMS.get(algorithm)
        compute = compute or Compute(torch.device("cpu"))
        if info.full_precision:
            compute = replace(compute, precision="float32")
        super().__init__(start.supernet, data, data.train, options, seed, compute, progress)
        self.identity |= {"algorithm": algorithm, "start": start.fingerprint}
        self.identity["options"]["architecture_betas"] = list(options.architecture_betas)
        drawn = generator_for(seed, "first logits")
        self.alphas = Alphas(start.supernet.sub_space, drawn, self.compute.device)
        try:
            self.algorithm = info.create(self.alphas, options)
        except ImportError as error:  # in another package
            raise SearchError(f"the algorithm {algorithm} cannot be imported: {error}") from error
        self._architecture_optimiser = architecture_optimiser(self.alphas, options)
        self._parts = {
            "alphas": self.alphas,
            "weight optimiser": self._optimiser,
            "architecture optimiser": self._architecture_optimiser,
            "random": self._random,
        }

    def run(self) -> Iterator[EpochRecord]:
        """Run the remaining epochs; yield record 0, then one for each epoch."""
        while len(self.records) <= self.options.epochs:
            started = time.perf_counter()
            epoch = len(self.records)
            if epoch:
                record = self._epoch(epoch, started)
            else:
                self._report(0, 0)
                size = self.options.batch_size
                valid = evaluate(self.network, self.data.valid, size, self.compute)
                record = self._record(0, None, valid, None, started)
            self.records.append(record)
            yield record

    def _epoch(self, epoch: int, started: float) -> EpochRecord:
        set_learning_rate(self._optimiser, self.options, epoch - 1)
        self.algorithm.start_epoch(epoch - 1)
        trained = self._train(epoch)
        self.algorithm.end_epoch()
        valid = evaluate(
            self.network,
            self.data.valid,
            self.options.batch_size,
            self.compute,
            lambda: self.algorithm.weights(self._random["evaluation"]),
        )
        return self._record(epoch, trained, valid, self.algorithm.temperature, started)

    def _train(self, epoch: int) -> Score:
        tally = Tally()
        common = (self.options.batch_size, self.options.augment)
        batches = zip(
            training_batches(self.data.train, *common, self._random["train batches"]),
            training_batches(self.data.valid, *common, self._random["valid batches"]),
            strict=False,  # an odd number of images leaves one more in the held-out half
        )
        for step, (train, valid) in enumerate(batches):
            self._report(epoch, step)
            tally.add(*self.step(train, valid), len(train.labels))
        return tally.score()

    def step(self, train: Examples, valid: Examples) -> tuple[Tensor, Tensor]:
        """Step the architecture on held-out images, then the weights; return loss and hits."""
        self._architecture_step(train, valid)
        with torch.no_grad():
            weights = self.algorithm.weights(self._random["architecture"])
        clip = self.options.gradient_clip
        return weight_step(self.network, weights, train, self._optimiser, self.compute, clip)

    def _architecture_step(self, train: Examples, valid: Examples) -> None:
        logits = self.alphas.open_logits()
        if not logits:  # nothing left to choose
            return
        step = ArchitectureStep(
            self.network,
            train,
            valid,
            self._optimiser,
            self._random["architecture"],
            self.compute,
        )
        for tensor, gradient in zip(logits, self.algorithm.gradients(step), strict=True):
            tensor.grad = gradient
        self._architecture_optimiser.step()
        self._architecture_optimiser.zero_grad(set_to_none=True)

    def _record(
        self,
        epoch: int,
        trained: Score | None,
        valid: Score,
        temperature: float | None,
        started: float,
    ) -> EpochRecord:
        architecture = self.alphas.architecture()
        return EpochRecord(
            epoch=epoch,
            train_loss=trained.loss if trained else None,
            train_accuracy=trained.accuracy if trained else None,
            valid_loss=valid.loss,
            valid_accuracy=valid.accuracy,
            architecture=architecture.to_string(),
            architecture_index=architecture.index,
            probabilities=self.alphas.table(),
            entropy=self.alphas.entropy(),
            temperature=temperature,
            seconds=time.perf_counter() - started,
        )

    def _report(self, epoch: int, step: int) -> None:
        self._progress(StepProgress(epoch, self.options.epochs, step, self.steps))
