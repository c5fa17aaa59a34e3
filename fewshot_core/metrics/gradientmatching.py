"""The cosine between the gradients of two sub-supernets (Eq. 1 of the paper; GM-NAS, 2022)."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Probe, Question, flaws_in_words
from fewshot_core.metrics.gradients import ZERO_GRADIENT, Tensors, dot
from fewshot_core.nets.wiring import edge_name


def score(question: Question) -> Answer:
    """Compare the gradients of all pairs of sub-supernets.

    The variant ``paper`` counts a weight that one network lacks as zero; ``shared`` looks only at
    weights that both have and that are not on the probed edge (GM-NAS).
    """
    gradients = [_counted_gradient(question, probe) for probe in question.probes()]
    zero = [
        operation
        for operation, gradient in zip(question.operations, gradients, strict=True)
        if dot(gradient, gradient) == 0
    ]
    reason = flaws_in_words({ZERO_GRADIENT: zero} if zero else {})
    return Answer((None,) * len(question.operations), cosines(gradients), reason)


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


def _counted_gradient(question: Question, probe: Probe) -> Tensors:
    """Return the gradient of one operation's sub-supernet, of the weights the variant counts."""
    probed = f".{edge_name(question.edge)}."
    if question.variant == "paper":
        return probe.gradient
    return {name: part for name, part in probe.gradient.items() if probed not in name}
