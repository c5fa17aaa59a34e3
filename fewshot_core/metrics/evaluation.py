"""Evaluation of a metric on one batch, from the cache of scores or from the network."""

import hashlib
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fewshot_core.errors import MetricError
from fewshot_core.images.batches import Batch
from fewshot_core.metrics.base import METRICS, Answer, MetricInfo
from fewshot_core.metrics.contract import Probes, Question
from fewshot_core.metrics.score_cache import ScoreCache, ScoreKey
from fewshot_core.nets import Supernet
from fewshot_core.resolve import resolve_plugin


def tensors_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: their names, kinds, shapes and numbers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def network_fingerprint(supernet: Supernet) -> str:
    """Return what a supernet is: its size, its seed, and its weights and stored statistics."""
    return (
        f"channels {supernet.channels}, cells {supernet.cells_per_stage}, "
        f"classes {supernet.num_classes}, seed {supernet.seed}, "
        f"weights {tensors_fingerprint(supernet.state_dict())}"
    )


def batch_fingerprint(batch: Batch) -> str:
    """Return the SHA-256 of a batch's images and labels."""
    return tensors_fingerprint({"images": batch.images, "labels": batch.labels})


def device_fingerprint(supernet: Supernet) -> str:
    """Return what rounding depends on: the version of PyTorch and the kind of device."""
    device = next(supernet.parameters()).device
    return f"torch {torch.__version__}, {device.type}"


def source_fingerprint(info: MetricInfo) -> str | None:
    """Return the package, version and file that another package's metric is from; None for ours."""
    if info.implementation.startswith("fewshot_core."):
        return None
    package, version = METRICS.origin(info.name) or ("no package", "")
    module = import_module(info.implementation.partition(":")[0])
    code = inspect.getsourcefile(module)
    digest = hashlib.sha256(Path(code).read_bytes()).hexdigest() if code else "no file"
    return f"{package} {version}, {digest}"


def ask(
    info: MetricInfo,
    supernet: Supernet,
    edge: int,
    batch: Batch | None,
    batch_norm: str,
    options: Mapping[str, Any],
    memory: ScoreCache | None,
) -> Answer:
    """Return a metric's answer about one edge and one batch, or none.

    Args:
        info: The metric.
        supernet: The supernet, with its batch norm set and its weights differentiable.
        edge: The probed edge.
        batch: Images and labels on any device.
        batch_norm: As the supernet has it.
        options: What else a question has.
        memory: What is remembered, or None.
    """
    there = None if batch is None else batch.to(next(supernet.parameters()).device)
    question = Question(made=Probes(supernet, edge, there), **options)
    asked = Asked(info, question, batch_norm)
    return asked.answer() if memory is None else asked.remembered(memory)


@dataclass(frozen=True)
class Asked:
    """A question with the metric that it is put to.

    Attributes:
        info: The metric.
        question: The question.
        batch_norm: ``"batch"`` or ``"running"``, as the supernet of the question has it.
    """

    info: MetricInfo
    question: Question
    batch_norm: str

    def answer(self) -> Answer:
        """Ask the metric."""
        answer: Answer = _implementation(self.info)(self.question)
        return answer

    def remembered(self, memory: ScoreCache) -> Answer:
        """Return what is remembered; otherwise ask, and remember that and what came along."""
        key = self._key()
        found = memory.find(key)
        if found is not None:
            for operation in self.question.operations:
                self.question.report(operation)
            memory.found += len(self.question.operations)
            return found
        started = time.perf_counter()
        answer = self.answer()
        memory.seconds += time.perf_counter() - started
        memory.made += len(self.question.operations)
        memory.keep(key, answer)
        for other in self._alongside():
            memory.keep(other.key_beside(key), other.answer())
        return answer

    def key_beside(self, key: ScoreKey) -> ScoreKey:
        """Return the key of this question, given that of another one about the same probes."""
        question = self.question
        return replace(
            key,
            metric=self.info.name,
            variant=question.variant,
            source=source_fingerprint(self.info),
            batch_norm=self.batch_norm if self.info.needs_images else None,
            drawn=(question.seed, question.groups, question.balanced) if self.info.draws else None,
        )

    def _alongside(self) -> Iterator["Asked"]:
        """Yield the questions to our other metrics that the passes made for this one answer."""
        brought = self.info.brings(self.question.variant)
        for info in METRICS:
            if METRICS.origin(info.name) is not None:
                continue
            for variant, made_of in info.passes.items():
                if made_of in brought and (info.name, variant) != self._named:
                    question = replace(self.question, variant=variant, report=_ignore)
                    yield Asked(info, question, self.batch_norm)

    def _key(self) -> ScoreKey:
        """Return what the answer depends on."""
        supernet, batch = self.question.supernet, self.question.made.batch
        beside = ScoreKey(
            metric="",
            variant="",
            source=None,
            rows=tuple(supernet.sub_space.rows),
            edge=self.question.edge,
            network=network_fingerprint(supernet),
            images=None if batch is None else batch_fingerprint(batch),
            image_size=self.question.image_size,
            batch_norm=None,
            drawn=None,
            computed=device_fingerprint(supernet),
        )
        return self.key_beside(beside)

    @property
    def _named(self) -> tuple[str, str]:
        return self.info.name, self.question.variant


def _implementation(info: MetricInfo) -> Callable[[Question], Answer]:
    """Import the score function of a metric; another package's record may be wrong about it."""
    what = f"the score function of {info.name}"
    return resolve_plugin(info.implementation, what, "function", MetricError)


def _ignore(operation: int) -> None:
    """Do nothing with a report of progress."""
