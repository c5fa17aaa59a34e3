"""How much the loss depends on single weights (Eq. 7 of the paper; Lee et al., 2019)."""

from fewshot_core.images.batches import Batch
from fewshot_core.metrics.contract import Question, Score, score_each
from fewshot_core.metrics.gradients import ZERO_GRADIENT, loss_gradients, saliency
from fewshot_core.metrics.scores import Answer
from fewshot_core.nets import Supernet, probed_weights


def score(question: Question) -> Answer:
    """Score each sub-supernet by the saliency of its weights."""
    return score_each(question, loss_saliency)


def loss_saliency(supernet: Supernet, batch: Batch) -> Score:
    """Return the sum of abs(gradient of the mean cross-entropy * weight), over probed weights."""
    gradients = loss_gradients(supernet, batch)
    zero = not any(bool(gradient.any()) for gradient in gradients.values())
    return Score(saliency(gradients, probed_weights(supernet)), ZERO_GRADIENT if zero else None)
