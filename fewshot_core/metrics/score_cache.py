"""Scores of metrics cached in files: small, shared by all runs, deletable at any time."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fewshot_core.data_folder import (
    canonical_json,
    file_fingerprint,
    json_number,
    text_fingerprint,
    write_json,
)
from fewshot_core.documents import DAMAGE, DamageError, describe_damage, read_document
from fewshot_core.metrics.base import METRICS, MetricInfo, MetricInput, MetricOutput, ignore
from fewshot_core.space import NAS_BENCH_201

if TYPE_CHECKING:
    from torch import Tensor

SCORING_VERSION = 2
"""Raised whenever a metric, the network or its initialisation gives other scores than before."""

Key = dict[str, Any]


class ScoreCache:
    """A cache of the outputs of metrics, one file each; a damaged one is ignored and replaced.

    It counts the operations whose scores were cached, ``hits``, and those whose scores had to be
    ``computed``, in ``seconds``. ``report`` is called with what is wrong with a file.
    """

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self.folder = folder
        self.hits = 0
        self.computed = 0
        self.seconds = 0.0
        self._report = report

    def evaluate(self, info: MetricInfo, metric_input: MetricInput) -> MetricOutput:
        """Load a metric's output; or compute it, and store it with those of the same pass."""
        count = len(metric_input.operations)
        key = _key(info, metric_input)
        output = self.load(key, count)
        if output is not None:
            self.hits += count
            for operation in metric_input.operations:
                metric_input.on_operation(operation)
            return output
        started = time.perf_counter()
        output = info.evaluate(metric_input)
        self.seconds += time.perf_counter() - started
        self.computed += count
        self.store(key, output)
        for other, variant in _of_same_pass(info, metric_input.variant):
            same_pass = replace(metric_input, variant=variant, on_operation=ignore)
            own = {"metric": other.name, "variant": variant, "plugin": None, "seed": None}
            self.store(key | own, other.evaluate(same_pass))
        return output

    def load(self, key: Key, count: int) -> MetricOutput | None:
        """Load the output for ``count`` operations, or None where there is none to be read."""
        path = self._path(key)
        try:
            document = read_document(path)
            values, rows, reason = (document[name] for name in ("values", "similarity", "reason"))
            scores = tuple(None if value is None else float(value) for value in values)
            matrix = None if rows is None else np.array([[float(x) for x in row] for row in rows])
            shape = (count, count) if matrix is None else matrix.shape
            if document["key"] != key or len(scores) != count or shape != (count, count):
                raise DamageError("it holds other scores")
            if not isinstance(reason, str | None):
                raise TypeError(f"expected a reason or null, got {reason!r}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DAMAGE as error:
            reason = describe_damage(error)
            self._report(f"cached scores in {path} are damaged ({reason}): computing them again")
            return None
        return MetricOutput(scores, matrix, reason)

    def store(self, key: Key, output: MetricOutput) -> None:
        """Store an output; where it cannot be written, this is only reported."""
        rows = None if output.similarity is None else output.similarity.tolist()
        document = {
            "key": key,
            "values": [json_number(value) for value in output.values],
            "similarity": rows and [[json_number(value) for value in row] for row in rows],
            "reason": output.reason,
        }
        try:
            write_json(self._path(key), document)
        except OSError as error:
            self._report(f"scores cannot be cached: {error}")

    def _path(self, key: Key) -> Path:
        name = text_fingerprint(canonical_json(key))[:24]
        return self.folder / str(key["metric"]) / f"{name}.json"


def _of_same_pass(info: MetricInfo, variant: str) -> Iterator[tuple[MetricInfo, str]]:
    """Yield our other metrics and variants that need no more than the passes of this one."""
    computed = info.computed_passes(variant)
    for other in METRICS:
        if METRICS.origin(other.name) is None:
            for name, needed in other.passes.items():
                if needed in computed and (other.name, name) != (info.name, variant):
                    yield other, name


def _key(info: MetricInfo, metric_input: MetricInput) -> Key:
    """Describe everything that the output of a metric depends on."""
    import torch

    supernet, batch = metric_input.supernet, metric_input.batch
    space = supernet.sub_space.space
    tensors = None if batch is None else {"images": batch.images, "labels": batch.labels}
    return {
        "version": SCORING_VERSION,
        "metric": info.name,
        "variant": metric_input.variant,
        "plugin": _plugin_fingerprint(info),
        "seed": metric_input.seed if info.uses_seed else None,
        "rows": supernet.sub_space.rows,
        "edge": metric_input.edge,
        "network": [supernet.channels, supernet.cells_per_stage, supernet.num_classes],
        "network_seed": supernet.seed,
        "weights": _fingerprint(supernet.state_dict()),
        "batch_norm": supernet.batch_norm if info.needs_images else None,
        "images": None if tensors is None else _fingerprint(tensors),
        "image_size": metric_input.image_size,
        "software": f"torch {torch.__version__}, {next(supernet.parameters()).device.type}",
        **({} if space == NAS_BENCH_201 else {"space": space.name}),
    }


def _plugin_fingerprint(info: MetricInfo) -> str | None:
    """Describe the package and the file that another package's metric is from; None for ours."""
    module = inspect.getmodule(info.score)
    if module is None or module.__name__.startswith("fewshot_core."):
        return None
    code = inspect.getsourcefile(module)
    return f"{METRICS.origin(info.name)} {file_fingerprint(Path(code)) if code else ''}"


def _fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Compute the SHA-256 of tensors: their names, types, shapes and numbers."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
