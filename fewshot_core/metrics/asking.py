"""Asking a metric about one batch: from memory, or of the network, with what comes along."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fewshot_core.errors import MetricError
from fewshot_core.images.batches import Batch
from fewshot_core.metrics.contract import Question
from fewshot_core.metrics.fingerprints import (
    batch_fingerprint,
    device_fingerprint,
    network_fingerprint,
    source_fingerprint,
)
from fewshot_core.metrics.info import MetricInfo
from fewshot_core.metrics.memory import ScoreKey, ScoreMemory
from fewshot_core.metrics.probe import Probes
from fewshot_core.metrics.registry import METRICS
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet
from fewshot_core.resolve import resolve_plugin


def ask(
    info: MetricInfo,
    supernet: Supernet,
    edge: int,
    batch: Batch | None,
    batch_norm: str,
    options: Mapping[str, Any],
    memory: ScoreMemory | None,
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

    def remembered(self, memory: ScoreMemory) -> Answer:
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
