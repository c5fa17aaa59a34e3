"""Measuring architectures with the shared weights of a search or of a trained supernet."""

from collections.abc import Callable
from pathlib import Path

from fewshot_core.datasets import DATASETS
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import load_data
from fewshot_core.search.errors import SearchError
from fewshot_core.search.layout import CHECKPOINT, RECORDS
from fewshot_core.search.proxy import shared_accuracy
from fewshot_core.search.record_file import read_records
from fewshot_core.search.request import SearchRequest
from fewshot_core.search.shared import SharedAccuracies, draw
from fewshot_core.search.training_request import TrainingRequest
from fewshot_core.space import SubSpace


def measure_shared(
    request: SearchRequest | TrainingRequest,
    folder: Path,
    data_dir: Path | str | None = None,
    sample: int = 100,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SharedAccuracies:
    """Return the accuracies of random architectures with the weights of a run's checkpoint.

    They are measured on the half of the images that searches hold out, each batch normalised by its
    own statistics.

    Args:
        request: What the run was asked.
        folder: Its folder.
        data_dir: The data folder.
        sample: How many architectures of its sub-space.
        seed: Which ones.
        progress: Called with the numbers done and in all, before each.

    Raises:
        CheckpointError: If the run has no checkpoint yet, or a damaged one.
        ImagesError: If its images are missing.
        SearchError: If fewer than two architectures are asked for or there are.
    """
    options = request.options
    space = request.sub_space if isinstance(request, SearchRequest) else SubSpace.full()
    drawn = draw(space.architecture_indices(), sample, seed)
    if len(drawn) < 2:
        raise SearchError(f"expected 2 architectures or more to compare, got {len(drawn)}")
    classes = DATASETS.get(request.dataset).classes
    compute = Compute.create(request.device, request.mixed_precision)
    supernet = Supernet(space, classes, options.channels, options.cells_per_stage)
    load_checkpoint(supernet, folder / CHECKPOINT)
    supernet.to(compute.device)
    images = load_data(
        request.dataset,
        options.images,
        options.split_seed,
        request.images,
        data_dir,
        compute.device,
    ).valid
    accuracies = []
    for number, index in enumerate(drawn):
        progress(number, len(drawn))
        accuracies.append(shared_accuracy(supernet, index, images, options.batch_size, compute))
    epoch = int(read_records(folder / RECORDS)[-1]["epoch"])
    held_out = isinstance(request, SearchRequest) or request.options.trained_on == "half"
    return SharedAccuracies(epoch, seed, len(images), held_out, tuple(drawn), tuple(accuracies))
