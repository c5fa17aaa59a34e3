"""What per-sample metrics differentiate: one number for each image of a batch."""

from torch import Tensor
from torch.nn import functional

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.per_sample import Quantity


def losses(batch: Batch) -> Quantity:
    """Return what maps logits (B, classes) to the cross-entropy of each image, (B,)."""

    def quantity(logits: Tensor) -> Tensor:
        return functional.cross_entropy(logits, batch.labels, reduction="none")

    return quantity


def logit_sums(batch: Batch) -> Quantity:
    """Return what maps logits (B, classes) to the sum of each image's logits, (B,)."""

    def quantity(logits: Tensor) -> Tensor:
        return logits.sum(dim=1)

    return quantity
