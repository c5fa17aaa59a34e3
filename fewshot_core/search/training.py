"""Training of a supernet (Appendix A.2 of the paper), and warm-up between the levels of a tree."""

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from fewshot_core.data_folder import text_fingerprint
from fewshot_core.nets import Supernet
from fewshot_core.search.compute import Compute, set_learning_rate
from fewshot_core.search.data import Examples, SearchData, training_batches
from fewshot_core.search.evaluation import Score, Tally, evaluate, store_statistics
from fewshot_core.search.loop import Resumable, weight_step
from fewshot_core.search.network import EdgeWeights, path_weights
from fewshot_core.search.options import TrainingOptions
from fewshot_core.search.records import StepProgress, TrainingRecord, ignore
from fewshot_core.space import SubSpace


class SupernetTraining(Resumable[TrainingOptions]):
    """The training of a supernet, epoch by epoch.

    After the last one the statistics of batch norm are stored, too. The seed is that of the
    initial weights and of everything sampled; the sub-space is by default all of NAS-Bench-201.
    """

    kind = "training"
    record_type = TrainingRecord
    purposes = ("batches", "paths", "evaluation")

    def __init__(
        self,
        data: SearchData,
        options: TrainingOptions,
        seed: int = 0,
        compute: Compute | None = None,
        sub_space: SubSpace | None = None,
        progress: Callable[[StepProgress], None] = ignore,
    ) -> None:
        compute = compute or Compute(torch.device("cpu"))
        sizes = (data.dataset.classes, options.channels, options.cells_per_stage, seed)
        supernet = Supernet(sub_space or SubSpace.full(), *sizes)
        images = data.whole if options.trained_on == "all" else data.train
        super().__init__(supernet, data, images, options, seed, compute, progress)
        self._parts = {"optimiser": self._optimiser, "random": self._random}

    def run(self) -> Iterator[TrainingRecord]:
        """Run the remaining epochs; yield a record of each."""
        while len(self.records) < self.options.epochs:
            record = self._epoch(len(self.records), time.perf_counter())
            self.records.append(record)
            yield record

    def _epoch(self, epoch: int, started: float) -> TrainingRecord:
        rate = set_learning_rate(self._optimiser, self.options, epoch)
        trained = self._train(epoch)
        if epoch + 1 == self.options.epochs:
            store_statistics(self.supernet, self._images, self.options.batch_size)
        valid = self._evaluate()
        return TrainingRecord(
            epoch=epoch + 1,
            train_loss=trained.loss,
            train_accuracy=trained.accuracy,
            valid_loss=valid.loss if valid else None,
            valid_accuracy=valid.accuracy if valid else None,
            learning_rate=rate,
            seconds=time.perf_counter() - started,
        )

    def _train(self, epoch: int) -> Score:
        tally = Tally()
        common = (self.options.batch_size, self.options.augment, self._random["batches"])
        for step, batch in enumerate(training_batches(self._images, *common)):
            self._progress(StepProgress(epoch + 1, self.options.epochs, step, self.steps))
            tally.add(*self.step(batch), len(batch.labels))
        return tally.score()

    def step(self, examples: Examples) -> tuple[Tensor, Tensor]:
        """Do one step of the weights; return loss and hits."""
        weights = self._weights("paths")
        return weight_step(self.network, weights, examples, self._optimiser, self.compute)

    def _weights(self, purpose: str) -> EdgeWeights | None:
        """Sample a uniform path for a batch, or return None for the mean."""
        if self.options.sampling == "mean":
            return None
        return uniform_path(self.supernet, self._random[purpose])

    def _evaluate(self) -> Score | None:
        if self.options.trained_on == "all":
            return None
        return evaluate(
            self.network,
            self.data.valid,
            self.options.batch_size,
            self.compute,
            lambda: self._weights("evaluation"),
        )


def uniform_path(supernet: Supernet, generator: torch.Generator) -> EdgeWeights:
    """Sample one operation for each edge uniformly."""
    sizes = [len(operations) for operations in supernet.sub_space.enabled]
    return path_weights(
        supernet, tuple(int(torch.randint(size, (1,), generator=generator)) for size in sizes)
    )


class WarmUp:
    """Continues the training of sub-supernets from the weights that they have inherited.

    Each is trained as a supernet is (Appendix A.2 of the paper) on all images, with a learning rate
    that is annealed over its own epochs. ``trained`` counts the sub-supernets trained so far,
    ``seconds`` the time it took.
    """

    def __init__(
        self,
        data: SearchData,
        epochs: int,
        seed: int = 0,
        compute: Compute | None = None,
        progress: Callable[[StepProgress], None] = ignore,
    ) -> None:
        self.seconds = 0.0
        self.trained = 0
        self._data = data
        self._epochs = epochs
        self._seed = seed
        self._compute = compute
        self._progress = progress

    def __call__(self, supernet: Supernet) -> None:
        """Train a sub-supernet in place; nothing else may share its weights."""
        started = time.perf_counter()
        options = TrainingOptions(
            epochs=self._epochs,
            trained_on="all",
            channels=supernet.channels,
            cells_per_stage=supernet.cells_per_stage,
        )
        training = SupernetTraining(
            self._data,
            options,
            self._seed_of(supernet),
            self._compute,
            supernet.sub_space,
            self._progress,
        )
        training.supernet.load_state_dict(supernet.state_dict())
        for _ in training.run():
            pass
        supernet.load_state_dict(training.supernet.state_dict())
        self.trained += 1
        self.seconds += time.perf_counter() - started

    def _seed_of(self, supernet: Supernet) -> int:
        """A seed that depends only on the sub-space."""
        rows = "/".join(supernet.sub_space.rows)
        return int(text_fingerprint(f"warm-up/{self._seed}/{rows}")[:15], 16)
