"""The cosine between the gradients of two sub-supernets (Eq. 1 of the paper; GM-NAS, 2022)."""

import math

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fewshot_core.errors import MetricError
from fewshot_core.images.batches import Batch
from fewshot_core.metrics.contract import Question
from fewshot_core.metrics.gradients import dot, loss_gradients
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets.cell import edge_name
from fewshot_core.space import OPERATION_LABELS

Gradients = dict[str, Tensor]


def score(question: Question) -> Answer:
    """Compare the gradients of all pairs of sub-supernets, averaged over the batches.

    The variant ``paper`` counts a weight that one network lacks as zero; ``shared`` looks only at
    weights that both have and that are not on the probed edge (GM-NAS).
    """
    if not question.batches:
        raise MetricError("gradientmatching needs a batch of images, got none")
    count = len(question.operations)
    similarities = np.zeros((len(question.batches), count, count))
    zero: set[int] = set()
    for number, batch in enumerate(question.batches):
        gradients = _gradients(question, batch)
        similarities[number] = cosines(gradients)
        zero |= {
            operation
            for operation, gradient in zip(question.operations, gradients, strict=True)
            if dot(gradient, gradient) == 0
        }
    labels = ", ".join(OPERATION_LABELS[operation] for operation in sorted(zero))
    reason = f"the gradient is zero with only {labels} on the edge" if zero else None
    return Answer((None,) * count, similarities.mean(axis=0), reason)


def cosines(gradients: list[Gradients]) -> npt.NDArray[np.float64]:
    """Return the cosine of every pair, shape (n, n); zero where a gradient is zero."""
    count = len(gradients)
    products = np.empty((count, count))
    for row in range(count):
        for column in range(row + 1):
            product = dot(gradients[row], gradients[column])
            products[row, column] = products[column, row] = product
    norms = [math.sqrt(products[row, row]) or math.inf for row in range(count)]
    result: npt.NDArray[np.float64] = products / np.outer(norms, norms)
    return result


def _gradients(question: Question, batch: Batch) -> list[Gradients]:
    """Return the gradient of each operation's sub-supernet, of the weights the variant counts."""
    probed = f".{edge_name(question.edge)}."
    keep_probed = question.variant == "paper"
    return [
        {
            name: gradient
            for name, gradient in loss_gradients(probe, batch).items()
            if keep_probed or probed not in name
        }
        for probe in question.probes()
    ]
