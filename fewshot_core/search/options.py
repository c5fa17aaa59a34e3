"""What can be set of a search and of a supernet's training.

The defaults are those of Appendix A of the paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fewshot_core.search.checks import check_choice, check_integer, check_number
from fewshot_core.search.errors import SearchError
from fewshot_core.search.schedules import SCHEDULES

SAMPLINGS: Mapping[str, str] = {
    "mean": "every edge outputs the mean of its operations",
    "single-path": "each batch trains one architecture, drawn uniformly",
}
"""What a batch of a supernet's training goes through."""

TRAINED_ON: Mapping[str, str] = {
    "half": "the half of the images that searches train on; the other half measures accuracy",
    "all": "all images; no accuracy is measured",
}
"""Which images a supernet is trained on."""


@dataclass(frozen=True)
class SearchOptions:
    """The hyperparameters of a one-shot search.

    Attributes:
        epochs: Passes over the training half of the images.
        batch_size: Images in a batch, of the weight step and of the architecture step.
        learning_rate: Of the weights in the first epoch; annealed by cosine.
        final_learning_rate: What it is annealed to.
        momentum: Nesterov momentum of the weights.
        weight_decay: Of the weights.
        gradient_clip: The largest norm of the weights' gradient.
        architecture_learning_rate: Of the architecture parameters (Adam), constant.
        architecture_betas: Adam's two decay rates.
        architecture_weight_decay: Of the architecture parameters.
        temperature: Of the first epoch; only SNAS has one.
        final_temperature: Of the last epoch.
        temperature_schedule: ``"cosine"`` (Appendix A.4) or ``"linear"``.
        stopping_threshold: By how much the probability of an edge's likeliest operation must
            exceed that of every other one for the edge to be decided; only DSNAS does this.
        channels: Channels of the first stage of the network.
        cells_per_stage: Cells in each of its three stages.
        images: Training images to use, half of them held out; None for all there are.
        split_seed: Which images, and which of them are held out; the same for all searches that
            are to be compared.
        augment: Whether batches are randomly cropped and flipped.

    Raises:
        SearchError: If a value is out of range.
    """

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 0.025
    final_learning_rate: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    gradient_clip: float = 5.0
    architecture_learning_rate: float = 3e-4
    architecture_betas: tuple[float, float] = (0.5, 0.999)
    architecture_weight_decay: float = 1e-3
    temperature: float = 1.0
    final_temperature: float = 0.1
    temperature_schedule: str = "cosine"
    stopping_threshold: float = 0.8
    channels: int = 16
    cells_per_stage: int = 5
    images: int | None = None
    split_seed: int = 0
    augment: bool = True

    def __post_init__(self) -> None:
        _check_shared(self)
        positive = ("gradient_clip", "architecture_learning_rate", "temperature")
        for name in (*positive, "final_temperature"):
            check_number(self, name, above=0)
        check_number(self, "architecture_weight_decay", least=0)
        check_number(self, "stopping_threshold", above=0, most=1)
        check_choice(self, "temperature_schedule", SCHEDULES)
        betas = self.architecture_betas
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise SearchError(f"expected two architecture_betas from 0 to below 1, got {betas!r}")

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "SearchOptions":
        """Read what ``dataclasses.asdict`` makes of options, from JSON or not.

        Raises:
            SearchError: If it is something else.
        """
        values = dict(document)
        if "architecture_betas" in values:
            values["architecture_betas"] = tuple(values["architecture_betas"])
        return _read(cls, values)


@dataclass(frozen=True)
class TrainingOptions:
    """The hyperparameters of a supernet's training (Appendix A.2 of the paper).

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images in a batch.
        learning_rate: In the first epoch; annealed by cosine.
        final_learning_rate: What it is annealed to.
        momentum: Of SGD, without Nesterov's correction.
        weight_decay: Of the weights.
        sampling: One of ``SAMPLINGS``. The paper says nothing of sampling.
        trained_on: One of ``TRAINED_ON``.
        channels: Channels of the first stage of the network.
        cells_per_stage: Cells in each of its three stages.
        images: Training images to use; None for all there are.
        split_seed: As in ``SearchOptions``.
        augment: Whether batches are randomly cropped and flipped.

    Raises:
        SearchError: If a value is out of range.
    """

    epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 0.1
    final_learning_rate: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    sampling: str = "mean"
    trained_on: str = "half"
    channels: int = 16
    cells_per_stage: int = 5
    images: int | None = None
    split_seed: int = 0
    augment: bool = True

    def __post_init__(self) -> None:
        _check_shared(self)
        check_choice(self, "sampling", SAMPLINGS)
        check_choice(self, "trained_on", TRAINED_ON)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "TrainingOptions":
        """Read what ``dataclasses.asdict`` makes of options, from JSON or not.

        Raises:
            SearchError: If it is something else.
        """
        return _read(cls, dict(document))


Options = TypeVar("Options", SearchOptions, TrainingOptions)


def _read(kind: type[Options], values: dict[str, Any]) -> Options:
    try:
        return kind(**values)
    except TypeError as error:
        raise SearchError(f"no {kind.__name__}: {error}") from error


def _check_shared(options: SearchOptions | TrainingOptions) -> None:
    """Check what searches and trainings have in common."""
    check_integer(options, "epochs", 1, 100_000)
    check_integer(options, "batch_size", 2, 65_536)
    check_integer(options, "channels", 1, 256)
    check_integer(options, "cells_per_stage", 1, 256)
    check_integer(options, "split_seed", 0, 2**63 - 1)
    if options.images is not None:
        check_integer(options, "images", 4, 2**31)
    check_number(options, "learning_rate", above=0)
    check_number(options, "final_learning_rate", least=0, most=options.learning_rate)
    check_number(options, "momentum", least=0, below=1)
    check_number(options, "weight_decay", least=0)
