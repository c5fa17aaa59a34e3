"""The random baseline: operations sorted into groups by chance (Section 4.1 of the paper)."""

import hashlib

import numpy as np

from fewshot_core.metrics.base import Answer
from fewshot_core.metrics.contract import Question
from fewshot_core.splitting.partition import set_partitions


def score(question: Question) -> Answer:
    """Draw one of the possible groupings, each with the same probability.

    The answer is a similarity of 1 inside the drawn groups and of 0 between them, so that cutting
    it gives back the drawn groups and no other. It depends on the seed, the edge and the sub-space.
    """
    count = len(question.operations)
    generator = np.random.default_rng(_node_seed(question))
    groupings = set_partitions(count, min(question.groups, count), question.balanced)
    drawn = groupings[int(generator.integers(len(groupings)))]
    similarity = np.zeros((count, count))
    for group in drawn:
        similarity[np.ix_(group, group)] = 1.0
    for operation in question.operations:
        question.report(operation)
    return Answer((None,) * count, similarity)


def _node_seed(question: Question) -> int:
    rows = "/".join(question.supernet.sub_space.rows)
    text = f"{question.seed}/{question.edge}/{rows}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
