"""One-shot searches: DARTS, SNAS and DSNAS in a sub-space, and the training of a supernet.

Importing this package does not import torch; running something does. An algorithm is one file and
one record; see ``fewshot_core.search.algorithms``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fewshot_core.search.algorithms import (
    ALGORITHMS,
    AlgorithmInfo,
    list_algorithms,
)
from fewshot_core.search.options import (
    PRESETS,
    SAMPLINGS,
    TRAINED_ON,
    Preset,
    SearchError,
    SearchOptions,
    TrainingOptions,
    preset_of,
)
from fewshot_core.search.records import (
    EpochRecord,
    StepProgress,
    TrainingRecord,
    ignore,
    read_records,
)
from fewshot_core.space import SubSpace

if TYPE_CHECKING:
    import pandas as pd

    from fewshot_core.nets import Supernet
    from fewshot_core.search.data import Images
    from fewshot_core.search.evaluation import ProxyQuality

__all__ = [
    "ALGORITHMS",
    "PRESETS",
    "SAMPLINGS",
    "TRAINED_ON",
    "AlgorithmInfo",
    "EpochRecord",
    "Preset",
    "SearchError",
    "SearchOptions",
    "StepProgress",
    "TrainingOptions",
    "TrainingRecord",
    "list_algorithms",
    "preset_of",
    "proxy_quality",
    "read_records",
    "search",
    "train_supernet",
]


def search(
    algorithm: str,
    sub_space: SubSpace,
    dataset: str = "cifar10",
    options: SearchOptions | None = None,
    seed: int = 0,
    images: Path | str | None = None,
    data_dir: Path | str | None = None,
    checkpoint: Path | str | None = None,
    device: str = "cpu",
    mixed_precision: bool = True,
    compiled: bool = False,
    progress: Callable[[StepProgress], None] | None = None,
) -> Iterator[EpochRecord]:
    """Search in one sub-space; yield a record from before the search and one for each epoch.

    To be able to resume it, start it as a run: ``fewshot_core.runs.start``.

    Args:
        algorithm: The algorithm's name.
        sub_space: The operations to choose from.
        dataset: The data set's name.
        options: Hyperparameters; those of the paper unless said otherwise. Those of a preset are
            ``PRESETS.get(name).search``.
        seed: Seed of everything that is drawn.
        images: An image source's name, a path, or None for the first real one.
        data_dir: The data folder.
        checkpoint: The file of a trained supernet whose weights are inherited.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        mixed_precision: Whether bfloat16 is used where the device is CUDA.
        compiled: Whether the network goes through ``torch.compile``.
        progress: Called before each step.

    Raises:
        ImagesError: If there are no such images.
        CheckpointError: If the checkpoint cannot be used.
        SearchError: If the options do not fit the images or the device, or the loss diverges.
        UnknownNameError: If the algorithm or the data set does not exist.
    """
    from fewshot_core.search.compute import Compute
    from fewshot_core.search.loop import prepare_search

    return prepare_search(
        algorithm,
        sub_space,
        dataset,
        options or SearchOptions(),
        seed,
        images,
        data_dir,
        checkpoint,
        Compute.create(device, mixed_precision, compiled),
        progress or ignore,
    ).run()


def train_supernet(
    dataset: str = "cifar10",
    options: TrainingOptions | None = None,
    seed: int = 0,
    images: Path | str | None = None,
    data_dir: Path | str | None = None,
    device: str = "cpu",
    mixed_precision: bool = True,
    compiled: bool = False,
    progress: Callable[[StepProgress], None] | None = None,
) -> Iterator[TrainingRecord]:
    """Train the supernet of the full space; yield a record for each epoch.

    To store its weights, start it as a run: ``fewshot_core.runs.start``. Arguments and errors are
    as those of ``search``.
    """
    from fewshot_core.search.compute import Compute
    from fewshot_core.search.training import prepare_training

    compute = Compute.create(device, mixed_precision, compiled)
    chosen = options or TrainingOptions()
    return prepare_training(
        dataset, chosen, seed, images, data_dir, compute, progress or ignore
    ).run()


def proxy_quality(
    supernet: Supernet,
    images: Images,
    table: pd.DataFrame,
    sample: int = 100,
    seed: int = 0,
    batch_size: int = 64,
) -> ProxyQuality:
    """Compare accuracies with shared weights to those of a table, on random architectures.

    Args:
        supernet: A trained network; architectures are drawn from its sub-space.
        images: Held-out images; each batch is normalised by its own statistics.
        table: Columns architecture (index) and accuracy_mean (percent), as of
            ``fewshot_core.bench.load_accuracy``.
        sample: How many architectures, drawn without replacement; all, if there are fewer.
        seed: Seed of the sample.
        batch_size: Images in a batch.

    Raises:
        SearchError: If the table has fewer than two of the sub-space's architectures.
    """
    from fewshot_core.search import evaluation

    return evaluation.proxy_quality(supernet, images, table, sample, seed, batch_size)
