"""One-shot searches: DARTS, SNAS and DSNAS in a sub-space, and the training of a supernet.

Importing this package does not import torch; running something does. An algorithm is one file and
one record; see ``fewshot_core.search.algorithms``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from fewshot_core.search.algorithms import ALGORITHMS, AlgorithmInfo, list_algorithms
from fewshot_core.search.options import (
    PRECISIONS,
    PRESETS,
    SAMPLINGS,
    TRAINED_ON,
    SearchError,
    SearchOptions,
    TrainingOptions,
    preset_of,
)
from fewshot_core.search.records import EpochRecord, StepProgress, ignore, read_records
from fewshot_core.space import SubSpace

__all__ = [
    "ALGORITHMS",
    "PRECISIONS",
    "PRESETS",
    "SAMPLINGS",
    "TRAINED_ON",
    "AlgorithmInfo",
    "EpochRecord",
    "SearchError",
    "SearchOptions",
    "StepProgress",
    "TrainingOptions",
    "list_algorithms",
    "preset_of",
    "read_records",
    "search",
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
    precision: str = "float32",
    compiled: bool = False,
    progress: Callable[[StepProgress], None] | None = None,
) -> Iterator[EpochRecord]:
    """Search in one sub-space; yield a record from before the search and one for each epoch.

    To be able to resume it, start it as a run: ``fewshot_core.runs.start``.

    Args:
        algorithm: One of ``list_algorithms``.
        options: Hyperparameters, by default those of the paper. Those of a preset are
            ``PRESETS.get(name).search``.
        seed: Random seed of weights, batches and samples.
        images: Name of an image source, a path, or None for the first real one.
        checkpoint: The file of a trained supernet whose weights are inherited.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        precision: How CUDA computes: ``"float32"``, ``"tf32"`` or ``"bfloat16"``.
        compiled: Whether the network goes through ``torch.compile``.

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
        Compute.create(device, precision, compiled),
        progress or ignore,
    ).run()
