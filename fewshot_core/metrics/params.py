"""The number of trainable parameters."""

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Question
from fewshot_core.nets import count_parameters


def score(question: Question) -> Answer:
    """Score each sub-supernet by how many trainable parameters it has; no images are used."""
    return Answer(tuple(float(count_parameters(probe.supernet)) for probe in question.probes()))
