"""The epoch loop of all search algorithms."""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from fewshot_core.resolve import resolve_plugin
from fewshot_core.search.alphas import Alphas
from fewshot_core.search.augmentation import augment
from fewshot_core.search.compute import Compute
from fewshot_core.search.contract import Algorithm, ArchitectureStep
from fewshot_core.search.data import Examples, Images, SearchData, shuffled
from fewshot_core.search.errors import SearchError
from fewshot_core.search.evaluation import Score, Tally, evaluate
from fewshot_core.search.network import WeightedSupernet
from fewshot_core.search.optimisers import (
    architecture_optimiser,
    set_learning_rate,
    weight_optimiser,
)
from fewshot_core.search.options import SearchOptions
from fewshot_core.search.progress import StepProgress, ignore
from fewshot_core.search.randomness import Randomness, generator_for
from fewshot_core.search.records import EpochRecord
from fewshot_core.search.registry import ALGORITHMS
from fewshot_core.search.start import Start
from fewshot_core.search.state import SearchState
from fewshot_core.search.steps import apply_gradients, weight_step

_PURPOSES = ("train batches", "valid batches", "architecture", "evaluation")


class Search:
    """A one-shot search in a sub-space, epoch by epoch.

    Args:
        algorithm: The algorithm's name.
        start: The network it starts with.
        data: The images.
        options: Hyperparameters.
        seed: Seed of everything that is drawn: first logits, batches, crops, mixtures, paths.
        compute: Where and how to compute.
        progress: Called before each step.
    """

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
        self.data = data
        self.options = options
        self.compute = compute or Compute(torch.device("cpu"))
        if info.full_precision:
            self.compute = self.compute.in_full_precision()
        self.identity = _identity(algorithm, start, data, options, seed)
        self.records: list[EpochRecord] = []
        self._progress = progress
        self._random = Randomness(seed, _PURPOSES)
        self.supernet = start.supernet.to(self.compute.device)
        self.network = WeightedSupernet(self.supernet)
        self.compute.prepare(self.network)
        drawn = generator_for(seed, "first logits")
        self.alphas = Alphas(start.supernet.sub_space, drawn, self.compute.device)
        what = f"the algorithm {info.name}"
        factory = resolve_plugin(info.factory, what, "class", SearchError)
        self.algorithm: Algorithm = factory(self.alphas, options)
        self._weight_optimiser = weight_optimiser(self.network, options)
        self._architecture_optimiser = architecture_optimiser(self.alphas, options)

    def run(self) -> Iterator[EpochRecord]:
        """Yield the records still to come: record 0, then one for each epoch."""
        while len(self.records) <= self.options.epochs:
            started = time.perf_counter()
            epoch = len(self.records)
            record = self._epoch(epoch, started) if epoch else self._before(started)
            self.records.append(record)
            yield record

    def _before(self, started: float) -> EpochRecord:
        """Return record 0: what the network can do before the search."""
        self._report(0, 0)
        valid = evaluate(self.network, self.data.valid, self.options.batch_size, self.compute)
        return self._record(0, None, valid, None, started)

    def _epoch(self, epoch: int, started: float) -> EpochRecord:
        set_learning_rate(self._weight_optimiser, self.options, epoch - 1)
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
        """Go once through the training half; before each weight step, step the architecture."""
        tally = Tally()
        batches = zip(
            self._batches(self.data.train, "train batches"),
            self._batches(self.data.valid, "valid batches"),
            strict=False,  # an odd number of images leaves one more in the held-out half
        )
        for step, (train, valid) in enumerate(batches):
            self._report(epoch, step)
            tally.add(*self.step(train, valid), len(train.labels))
        return tally.score()

    def step(self, train: Examples, valid: Examples) -> tuple[Tensor, Tensor]:
        """Step the architecture on held-out images, then the weights on training images.

        Returns:
            The mean cross-entropy of the weight step, and how many images it recognised.
        """
        self._architecture_step(train, valid)
        with torch.no_grad():
            weights = self.algorithm.weights(self._random["architecture"])
        return weight_step(
            self.network,
            weights,
            train,
            self._weight_optimiser,
            self.compute,
            self.options.gradient_clip,
        )

    def _architecture_step(self, train: Examples, valid: Examples) -> None:
        logits = self.alphas.open_logits()
        if not logits:  # nothing left to choose
            return
        step = ArchitectureStep(
            self.network,
            train,
            valid,
            self._weight_optimiser,
            self._random["architecture"],
            self.compute,
        )
        gradients = self.algorithm.gradients(step)
        apply_gradients(logits, gradients, self._architecture_optimiser)

    def _batches(self, images: Images, purpose: str) -> Iterator[Examples]:
        generator = self._random[purpose]
        for rows in shuffled(len(images), self.options.batch_size, generator):
            yield augment(images, rows, generator) if self.options.augment else images.take(rows)

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
        steps = -(-len(self.data.train) // self.options.batch_size)
        self._progress(StepProgress(epoch, self.options.epochs, step, steps))

    def state(self) -> SearchState:
        """Return everything the next epoch depends on."""
        rest = {
            "records": [record.to_dict() for record in self.records],
            "alphas": self.alphas.state_dict(),
            "weight optimiser": self._weight_optimiser.state_dict(),
            "architecture optimiser": self._architecture_optimiser.state_dict(),
            "random": self._random.state_dict(),
        }
        return SearchState(self.identity, deepcopy(self.supernet.state_dict()), deepcopy(rest))

    def restore(self, state: SearchState) -> None:
        """Go on where a state was taken.

        Raises:
            SearchError: If it is the state of another search.
        """
        state.check(self.identity)
        self.supernet.load_state_dict(state.supernet)
        self.alphas.load_state_dict(state.rest["alphas"])
        self._weight_optimiser.load_state_dict(state.rest["weight optimiser"])
        self._architecture_optimiser.load_state_dict(state.rest["architecture optimiser"])
        self._random.load_state_dict(state.rest["random"])
        self.records = [EpochRecord.from_dict(record) for record in state.rest["records"]]


def _identity(
    algorithm: str, start: Start, data: SearchData, options: SearchOptions, seed: int
) -> dict[str, Any]:
    return {
        "kind": "search",
        "algorithm": algorithm,
        "sub_space": start.supernet.sub_space.rows,
        "start": start.fingerprint,
        "options": {**asdict(options), "architecture_betas": list(options.architecture_betas)},
        "dataset": data.dataset.name,
        "images": data.provenance.fingerprint,
        "seed": seed,
    }
