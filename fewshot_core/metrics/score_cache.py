"""Scores of metrics cached in files: small, shared by all runs, deletable at any time."""

import hashlib
import inspect
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fewshot_core.data_folder import canonical_json, text_fingerprint, write_json
from fewshot_core.errors import MetricError
from fewshot_core.images.batches import Batch
from fewshot_core.metrics.base import METRICS, Answer, MetricInfo
from fewshot_core.metrics.contract import Probes, Question
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


FORMAT = "fewshot-scores/1"

SCORING_VERSION = 2
"""Raised whenever a metric, the network or its initialisation gives other scores than before.

What was remembered under another version is not looked at.
"""


@dataclass(frozen=True)
class ScoreKey:
    """Everything that the scores of an edge's operations depend on.

    Each operation is probed by the sub-supernet with only it on the edge and all that ``rows``
    enable elsewhere; the order in which a tree came there does not count.

    Attributes:
        metric: The metric's name.
        variant: Its variant.
        source: The package and the code that a metric of another package is from, or None.
        rows: The operations enabled on each edge.
        edge: The probed edge.
        network: What the network is, and the SHA-256 of its weights and stored statistics.
        images: The SHA-256 of the images and labels of the batch, or None.
        image_size: Height and width of an image.
        batch_norm: ``"batch"`` or ``"running"``, or None for a metric without images.
        drawn: The seed, and the groups asked for, where they count; else None.
        computed: By what: the version of PyTorch and the kind of device.
    """

    metric: str
    variant: str
    source: str | None
    rows: tuple[str, ...]
    edge: int
    network: str
    images: str | None
    image_size: int
    batch_norm: str | None
    drawn: tuple[int, int, bool] | None
    computed: str

    def document(self) -> dict[str, Any]:
        """Return the key as it is in a file, with ``SCORING_VERSION``."""
        text = canonical_json(asdict(self) | {"version": SCORING_VERSION})
        document: dict[str, Any] = json.loads(text)
        return document


class ScoreCache:
    """Remembers answers of metrics.

    A file appears complete or not at all, and two processes that work on the same write the same.
    One that is damaged is set aside, and its scores are computed anew.

    Args:
        folder: Where the files are, such as ``data/scores``.
        report: Called with a sentence about what is wrong with a file.

    Attributes:
        found: How many operations' scores were remembered.
        made: How many were computed.
        seconds: The time that took.
    """

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self.folder = folder
        self.found = 0
        self.made = 0
        self.seconds = 0.0
        self._report = report

    def find(self, key: ScoreKey) -> Answer | None:
        """Return what is remembered, or None."""
        path = self._path(key)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeError) as error:
            self._set_aside(path, error)
            return None
        try:
            return _read(text, key)
        except (LookupError, TypeError, ValueError) as error:
            self._set_aside(path, error)
            return None

    def keep(self, key: ScoreKey, answer: Answer) -> None:
        """Remember an answer; where it cannot be written, this is only reported."""
        document = {
            "format": FORMAT,
            "key": key.document(),
            "values": [_number_out(value) for value in answer.values],
            "similarity": None
            if answer.similarity is None
            else [[_number_out(value) for value in row] for row in answer.similarity.tolist()],
            "reason": answer.reason,
        }
        try:
            write_json(self._path(key), document)
        except OSError as error:
            self._report(f"scores cannot be remembered: {error}")

    def _path(self, key: ScoreKey) -> Path:
        name = text_fingerprint(canonical_json(key.document()))
        return self.folder / key.metric / f"{name[:24]}.json"

    def _set_aside(self, path: Path, error: Exception) -> None:
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
        aside = path.with_name(f"{path.name}.set-aside-{stamp}")
        try:
            path.replace(aside)
        except OSError:  # another process was first, or the disk refuses
            return
        self._report(
            f"remembered scores are damaged ({error}): set aside as {aside}, computed anew"
        )


def _read(text: str, key: ScoreKey) -> Answer:
    """Read what ``keep`` has written; raises where it is anything else."""
    document = json.loads(text)
    if document["format"] != FORMAT or document["key"] != key.document():
        raise ValueError("it holds other scores than its name says")
    count = key.rows[key.edge].count("1")
    values = tuple(_number_in(value) for value in document["values"])
    similarity = document["similarity"]
    matrix = None if similarity is None else _matrix(similarity)
    if len(values) != count or (matrix is not None and matrix.shape != (count, count)):
        raise ValueError(f"expected scores of {count} operations")
    reason = document["reason"]
    if not isinstance(reason, str | None):
        raise TypeError(f"expected a reason or null, got {reason!r}")
    return Answer(values, matrix, reason)


def _matrix(rows: Any) -> npt.NDArray[np.float64]:
    return np.array([[float(value) for value in row] for row in rows], dtype=np.float64)


def _number_in(value: Any) -> float | None:
    return None if value is None else float(value)


def _number_out(value: float | None) -> float | str | None:
    """Return a number as JSON can hold it: "nan", "inf" and "-inf" as text."""
    return value if value is None or math.isfinite(value) else str(value)


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
