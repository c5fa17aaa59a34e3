"""From a request to something that runs."""

from collections.abc import Callable
from pathlib import Path

from fewshot_core.search.compute import Compute
from fewshot_core.search.data import SearchData, load_data
from fewshot_core.search.loop import Search
from fewshot_core.search.progress import StepProgress, ignore
from fewshot_core.search.request import SearchRequest
from fewshot_core.search.start import make_start
from fewshot_core.search.training import SupernetTraining
from fewshot_core.search.training_request import TrainingRequest

Report = Callable[[StepProgress], None]


def prepare_search(
    request: SearchRequest,
    data_dir: Path | str | None = None,
    progress: Report = ignore,
    data: SearchData | None = None,
) -> Search:
    """Return the search that is asked for, ready to run from its start.

    Args:
        request: What is asked for.
        data_dir: The data folder.
        progress: Called before each step.
        data: The images, where they are loaded already.

    Raises:
        ImagesError: If there are no such images.
        CheckpointError: If the checkpoint cannot be used.
        SearchError: If there are too few images, or the device cannot be used.
    """
    compute = Compute.create(request.device, request.mixed_precision, request.compiled)
    images = data or _images(request, compute, data_dir)
    checkpoint = None if request.checkpoint is None else Path(request.checkpoint)
    start = make_start(
        request.sub_space, images.dataset.classes, request.options, request.seed, checkpoint
    )
    return Search(
        request.algorithm, start, images, request.options, request.seed, compute, progress
    )


def prepare_training(
    request: TrainingRequest,
    data_dir: Path | str | None = None,
    progress: Report = ignore,
    data: SearchData | None = None,
) -> SupernetTraining:
    """Return the training that is asked for; arguments and errors as of ``prepare_search``."""
    compute = Compute.create(request.device, request.mixed_precision, request.compiled)
    images = data or _images(request, compute, data_dir)
    return SupernetTraining(images, request.options, request.seed, compute, progress=progress)


def _images(
    request: SearchRequest | TrainingRequest, compute: Compute, data_dir: Path | str | None
) -> SearchData:
    options = request.options
    return load_data(
        request.dataset,
        options.images,
        options.split_seed,
        request.images,
        data_dir,
        compute.device,
    )
