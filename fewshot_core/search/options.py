"""Options of a search and of a supernet's training: values, checks, presets and overrides.

The defaults are those of Appendix A of the paper.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from fewshot_core.errors import FewshotError, check_name
from fewshot_core.registry import Registry


class SearchError(FewshotError):
    """Options that cannot be used, a loss that diverges, or files that cannot be read."""


PRECISIONS = {
    "float32": "float32 throughout",
    "tf32": "products of matrices and convolutions in TF32",
    "bfloat16": "forward passes in bfloat16, all else as with tf32",
}
"""How CUDA computes, with what each means. Other devices compute in float32."""


def check_integer(options: object, name: str, least: int, most: int) -> None:
    """Raise a SearchError unless an attribute is an integer in a range."""
    value = getattr(options, name)
    if type(value) is not int or not least <= value <= most:
        raise SearchError(f"expected {name}, an integer from {least:,} to {most:,}, got {value!r}")


def check_number(
    options: object,
    name: str,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    """Raise a SearchError unless an attribute is a finite number in a range."""
    value = getattr(options, name)
    number = type(value) in (int, float) and math.isfinite(value)
    if not number or not (least <= value <= most and above < value < below):
        limits = {"of at least": least, "above": above, "of at most": most, "below": below}
        ranges = [f"{word} {limit:g}" for word, limit in limits.items() if math.isfinite(limit)]
        raise SearchError(f"expected {name}, a number {' and '.join(ranges)}, got {value!r}")


def cosine(start: float, end: float, progress: float) -> float:
    """Compute half a cosine wave from ``start`` (progress 0) to ``end`` (progress 1).

    Source: Loshchilov and Hutter, 2017 (SGDR), Eq. 5, without restarts.
    """
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def linear(start: float, end: float, progress: float) -> float:
    """Compute a straight line from ``start`` (progress 0) to ``end`` (progress 1)."""
    return start + (end - start) * progress


SCHEDULES: Mapping[str, Callable[[float, float, float], float]] = {
    "cosine": cosine,
    "linear": linear,
}
"""Schedules by name."""


def temperature(schedule: str, start: float, end: float, epoch: int, epochs: int) -> float:
    """Compute the temperature of an epoch from 0 (Appendix A.4 of the paper).

    ``end`` is that of the last epoch; a single epoch has the first temperature.
    """
    return SCHEDULES[schedule](start, end, epoch / max(1, epochs - 1))


SAMPLINGS: Mapping[str, str] = {
    "mean": "every edge outputs the mean of its operations",
    "single-path": "each batch trains one architecture, drawn uniformly",
}
"""How a batch of a supernet's training samples operations."""

TRAINED_ON: Mapping[str, str] = {
    "half": "the half of the images that searches train on; the other half measures accuracy",
    "all": "all images; no accuracy is measured",
}
"""Which images a supernet is trained on."""


@dataclass(frozen=True)
class CommonOptions:
    """Hyperparameters of searches and trainings; raises SearchError if a value is out of range.

    Attributes:
        epochs: Passes over the images.
        batch_size: Images in a batch.
        learning_rate: Of the weights in the first epoch; annealed by cosine to the final one.
        channels: The width of the network: 16 at full size in every search space, in NAS-Bench-201
            the channels of the first of three stages.
        cells_per_stage: Cells in each stage; not used where the space fixes the depth.
        images: Training images to use, half of them held out; None for all there are.
        split_seed: Random seed of the images and the half held out; the same for all searches that
            are to be compared.
        augment: Whether batches are randomly cropped and flipped.
    """

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 0.025
    final_learning_rate: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    channels: int = 16
    cells_per_stage: int = 5
    images: int | None = None
    split_seed: int = 0
    augment: bool = True

    def __post_init__(self) -> None:
        check_integer(self, "epochs", 1, 100_000)
        check_integer(self, "batch_size", 2, 65_536)
        check_integer(self, "channels", 1, 256)
        check_integer(self, "cells_per_stage", 1, 256)
        check_integer(self, "split_seed", 0, 2**63 - 1)
        if self.images is not None:
            check_integer(self, "images", 4, 2**31)
        check_number(self, "learning_rate", above=0)
        check_number(self, "final_learning_rate", least=0, most=self.learning_rate)
        check_number(self, "momentum", least=0, below=1)
        check_number(self, "weight_decay", least=0)


@dataclass(frozen=True)
class SearchOptions(CommonOptions):
    """The hyperparameters of a one-shot search, with Nesterov momentum of the weights.

    Attributes:
        gradient_clip: The largest norm of the weights' gradient.
        architecture_learning_rate: Of the architecture parameters (Adam), constant.
        architecture_betas: Adam's two decay rates.
        temperature: Of the first epoch; only SNAS has one.
        final_temperature: Of the last epoch.
        temperature_schedule: ``"cosine"`` (Appendix A.4) or ``"linear"``.
        stopping_threshold: By how much the probability of an edge's likeliest operation must
            exceed that of every other one for the edge to be decided; only DSNAS does this.
    """

    gradient_clip: float = 5.0
    architecture_learning_rate: float = 3e-4
    architecture_betas: tuple[float, float] = (0.5, 0.999)
    architecture_weight_decay: float = 1e-3
    temperature: float = 1.0
    final_temperature: float = 0.1
    temperature_schedule: str = "cosine"
    stopping_threshold: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = ("gradient_clip", "architecture_learning_rate", "temperature")
        for name in (*positive, "final_temperature"):
            check_number(self, name, above=0)
        check_number(self, "architecture_weight_decay", least=0)
        check_number(self, "stopping_threshold", above=0, most=1)
        check_name("temperature_schedule", self.temperature_schedule, SCHEDULES, SearchError)
        betas = self.architecture_betas
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise SearchError(f"expected two architecture_betas from 0 to below 1, got {betas!r}")


@dataclass(frozen=True)
class TrainingOptions(CommonOptions):
    """The hyperparameters of a supernet's training (Appendix A.2 of the paper).

    Attributes:
        sampling: One of ``SAMPLINGS``. The paper does not specify it.
        trained_on: One of ``TRAINED_ON``.
    """

    epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 0.1
    final_learning_rate: float = 0.0
    weight_decay: float = 5e-4
    sampling: str = "mean"
    trained_on: str = "half"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("sampling", self.sampling, SAMPLINGS, SearchError)
        check_name("trained_on", self.trained_on, TRAINED_ON, SearchError)


Options = TypeVar("Options", SearchOptions, TrainingOptions)


@dataclass(frozen=True)
class Preset:
    """Hyperparameters for searches and for the training of a supernet."""

    name: str
    label: str
    description: str
    search: SearchOptions
    training: TrainingOptions


_SMALL: dict[str, Any] = {"channels": 8, "cells_per_stage": 1, "images": 3_200}
_TINY: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "channels": 2,
    "cells_per_stage": 1,
    "images": 64,
}

PRESETS = Registry(
    "preset",
    Preset(
        name="paper",
        label="Paper",
        description="Exactly Appendix A of the paper: for a GPU.",
        search=SearchOptions(),
        training=TrainingOptions(),
    ),
    Preset(
        name="quick",
        label="Quick",
        description="A small network on some of the images: eight sub-supernets of a split in "
        "half an hour on two CPU cores. The architecture's learning rate is raised so that it can "
        "move as far in fewer steps.",
        search=SearchOptions(epochs=20, architecture_learning_rate=0.01, **_SMALL),
        training=TrainingOptions(epochs=20, batch_size=64, **_SMALL),
    ),
    Preset(
        name="smoke",
        label="Smoke test",
        description="A test that everything works, in seconds; its results mean nothing.",
        search=SearchOptions(architecture_learning_rate=0.01, **_TINY),
        training=TrainingOptions(**_TINY),
    ),
)


def preset_of(options: SearchOptions | TrainingOptions) -> str | None:
    """Find the name of the preset with these options, or None."""
    return next((p.name for p in PRESETS if options in (p.search, p.training)), None)


_IN_WORDS = ("channels", "cells_per_stage", "epochs", "images")


def protocol_label(options: SearchOptions | TrainingOptions, unused: Iterable[str] = ()) -> str:
    """Describe all options but the network's size; those that differ have different labels.

    It is the label of their preset, or the epochs and images, with whatever else differs from the
    preset Paper, or Quick where only some images are used; ``unused`` cannot change the result.
    """
    near = PRESETS.get("paper" if options.images is None else "quick")
    usual: Any = near.search if isinstance(options, SearchOptions) else near.training
    options = replace(options, **{name: getattr(usual, name) for name in unused})
    preset = preset_of(options)
    if preset is not None:
        return PRESETS.get(preset).label
    images = "all" if options.images is None else f"{options.images:,}"
    others = [
        f"{name.replace('_', ' ')} {as_text(value)}"
        for name, value in changed(options, usual).items()
        if name not in _IN_WORDS
    ]
    return ", ".join([f"{options.epochs} epochs", f"{images} images", *others])


def override(options: Options, texts: Iterable[str]) -> Options:
    """Replace some values of options, given by texts ``"name=value"``.

    A value is a number, ``true``, ``false``, ``none``, or several numbers separated by commas.
    Raises SearchError if there is no such option, or its value is of another type or out of range.
    """
    values = asdict(options)
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in values:
            known = ", ".join(field.name for field in fields(options))
            raise SearchError(f"expected name=value with one of {known}, got {text!r}")
        changes[name] = _value(name, value.strip(), values[name])
    return replace(options, **changes)


def changed(options: Options, usual: Options) -> dict[str, Any]:
    """List the values in which options differ from others, by name."""
    values = asdict(usual)
    return {name: value for name, value in asdict(options).items() if value != values[name]}


def as_text(value: Any) -> str:
    """Format a value as ``override`` reads it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(as_text, value))
    return str(value)


def _value(name: str, text: str, usual: Any) -> Any:
    if isinstance(usual, bool):
        if text.lower() not in ("true", "false"):
            raise SearchError(f"expected {name} to be true or false, got {text!r}")
        return text.lower() == "true"
    if isinstance(usual, str):
        return text
    if isinstance(usual, tuple):
        return tuple(_number(name, part) for part in text.split(","))
    if text.lower() == "none":
        return None
    return _number(name, text)


def _number(name: str, text: str) -> float | int:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    raise SearchError(f"expected {name} to be a number, got {text!r}")
