"""Training sub-supernets a little between the levels of a splitting tree, as few-shot NAS does."""

import time
from collections.abc import Callable

from fewshot_core.datafolder import text_fingerprint
from fewshot_core.nets import Supernet
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import SearchData
from fewshot_core.search.options import TrainingOptions
from fewshot_core.search.progress import StepProgress, ignore
from fewshot_core.search.training import SupernetTraining


class WarmUp:
    """Continues the training of sub-supernets from the weights that they have inherited.

    Each is trained as a supernet is (Appendix A.2 of the paper) on the same images, with a
    learning rate that is annealed over its own epochs.

    Args:
        data: The images; all of them are trained on.
        epochs: Passes over them.
        seed: Decides, with the sub-space, in which order and how augmented images come.
        compute: Where and how to compute.
        progress: Called before each step.

    Attributes:
        seconds: The time that training took so far.
        trained: How many sub-supernets were trained so far.
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
        """Train a sub-supernet, which nothing else may share weights with."""
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
        """Return a seed that is the same for the same sub-space, wherever a tree comes to it."""
        rows = "/".join(supernet.sub_space.rows)
        return int(text_fingerprint(f"warm-up/{self._seed}/{rows}")[:15], 16)
