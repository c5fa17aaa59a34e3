"""The work of a split, inside its own process."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import RunError
from fewshot_core.images.batches import Batch, load_batch
from fewshot_core.metrics import ScoreMemory
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.runs.estimate import record_pace, record_warm_up
from fewshot_core.runs.folder import RunFolder
from fewshot_core.runs.reporting import Reporter
from fewshot_core.runs.request import SplitRequest
from fewshot_core.search import StepProgress
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import load_data
from fewshot_core.search.warm_up import WarmUp
from fewshot_core.space import OPERATIONS, SubSpace, edge_label
from fewshot_core.splitting import Progress, split


def run(folder: RunFolder, data_dir: Path) -> None:
    """Do the split that a run folder asks for."""
    request = folder.split_request()
    reporter = _Reporter(folder)
    reporter.say("building the supernet")
    supernet = _supernet(request)
    batches = _batches(request, data_dir)
    warm_up = _warm_up(request, data_dir, reporter)
    memory = ScoreMemory(data_dir / "scores", reporter.log)
    tree = split(
        request.metric,
        supernet,
        batches,
        request.tree.edges,
        request.tree.groups,
        variant=request.variant,
        batch_norm=request.batch_norm,
        seed=request.seed,
        balanced=request.tree.balanced,
        policy=request.tree.policy,
        image_size=DATASETS.get(request.dataset).image_size,
        details=_details(request, supernet, batches),
        progress=reporter.progress,
        memory=memory,
        warm_up=warm_up,
    )
    folder.write_tree(tree)
    if memory.found:
        known = memory.found + memory.made
        reporter.log(f"{memory.found} of {known} scores were remembered, not computed again")
    if memory.made:
        pace = memory.seconds / memory.made * len(batches or [None])
        with suppress(OSError):  # a pace that cannot be kept does not make the split fail
            record_pace(data_dir, request, pace)
    if warm_up is not None:
        with suppress(OSError):
            record_warm_up(data_dir, request, warm_up.seconds / warm_up.trained)
    reporter.finish(reporter.status.done + 1)


class _Reporter(Reporter):
    """Writes a split's status, and its tree whenever that has a new node."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder)
        self._nodes = 0

    def progress(self, progress: Progress) -> None:
        """Report the operation that is about to be scored."""
        if len(progress.tree.nodes) > self._nodes:
            self._nodes = len(progress.tree.nodes)
            self.folder.write_tree(progress.tree)
        message = (
            f"scoring {OPERATIONS[progress.operation]} on edge "
            f"{edge_label(progress.edge)}, node {self._nodes + 1}"
        )
        self.step(progress.done, progress.total, message)

    def training(self, progress: StepProgress) -> None:
        """Report the step of a warm-up that is about to be done."""
        message = (
            "training a sub-supernet before it is split further: "
            f"epoch {progress.epoch} of {progress.epochs}, "
            f"step {progress.step + 1} of {progress.steps}"
        )
        self.step(self.status.done, self.status.total, message)


def _supernet(request: SplitRequest) -> Supernet:
    network = request.network
    # Weights from a checkpoint have no seed; thin networks, drawn by it, must not differ either.
    seed = 0 if network.checkpoint else network.seed
    supernet = Supernet(
        SubSpace.full(),
        num_classes=DATASETS.get(request.dataset).classes,
        channels=network.channels,
        cells_per_stage=network.cells_per_stage,
        seed=seed,
    )
    if network.checkpoint is not None:
        load_checkpoint(supernet, Path(network.checkpoint))
    try:
        return supernet.to(torch.device(request.device))
    except (RuntimeError, AssertionError) as error:
        raise RunError(
            f"the device {request.device!r} cannot be used here ({error}); choose 'cpu'"
        ) from error


def _batches(request: SplitRequest, data_dir: Path) -> list[Batch] | None:
    if not request.needs_images:
        return None
    return [
        load_batch(
            request.dataset,
            request.batch_size,
            seed=request.batch_seed + number,
            source=request.images,
            data_dir=data_dir,
        )
        for number in range(request.batches)
    ]


def _warm_up(request: SplitRequest, data_dir: Path, reporter: _Reporter) -> WarmUp | None:
    tree = request.tree
    if not tree.warm_ups:
        return None
    compute = Compute.create(request.device)
    data = load_data(
        request.dataset,
        tree.warm_up_images,
        request.seed,
        request.images,
        data_dir,
        compute.device,
    )
    return WarmUp(data, tree.warm_up_epochs, request.seed, compute, reporter.training)


def _details(
    request: SplitRequest, supernet: Supernet, batches: list[Batch] | None
) -> dict[str, Any]:
    """Return what a reader of the tree wants to know about its making."""
    return {
        "dataset": request.dataset,
        "network": ", ".join(filter(None, [request.network.describe(), supernet.history])),
        "weights": supernet.weights,
        "device": request.device,
        "images": batches[0].provenance.describe() if batches else None,
        "synthetic": batches[0].provenance.synthetic if batches else False,
        "batch_size": request.batch_size if batches else None,
        "batches": request.batches if batches else None,
        "warm_up_epochs": request.tree.warm_up_epochs,
        "warm_up_images": request.tree.warm_up_images if request.tree.warm_up_epochs else None,
    }
