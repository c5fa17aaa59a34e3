"""The cosine between the gradients of two sub-supernets (Eq. 1 of the paper; GM-NAS, 2022)."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.contract import Question, flaws_in_words, required_batches
from fewshot_core.metrics.gradients import ZERO_GRADIENT, Tensors, dot, loss_gradients
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet
from fewshot_core.nets.cell import edge_name


def score(question: Question) -> Answer:
    """Compare the gradients of all pairs of sub-supernets, averaged over the batches.

    The variant ``paper`` counts a weight that one network lacks as zero; ``shared`` looks only at
    weights that both have and that are not on the probed edge (GM-NAS).
    """
    batches = required_batches(question)
    gradients = [
        [_counted_gradients(question, probe, batch) for batch in batches]
        for probe in question.probes()
    ]
    zero = [
        operation
        for operation, of_batches in zip(question.operations, gradients, strict=True)
        if any(dot(gradient, gradient) == 0 for gradient in of_batches)
    ]
    similarity = np.mean([cosines(of_batch) for of_batch in zip(*gradients, strict=True)], axis=0)
    reason = flaws_in_words({ZERO_GRADIENT: zero} if zero else {})
    return Answer((None,) * len(question.operations), similarity, reason)


def cosines(gradients: Sequence[Tensors]) -> npt.NDArray[np.float64]:
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


def _counted_gradients(question: Question, probe: Supernet, batch: Batch) -> Tensors:
    """Return the gradient of one operation's sub-supernet, of the weights the variant counts."""
    probed = f".{edge_name(question.edge)}."
    gradients = loss_gradients(probe, batch)
    if question.variant == "paper":
        return gradients
    return {name: gradient for name, gradient in gradients.items() if probed not in name}
