"""What scores depend on, in short: the content of tensors, and the code of a metric."""

import hashlib
import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.info import MetricInfo
from fewshot_core.metrics.registry import METRICS
from fewshot_core.nets import Supernet


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
