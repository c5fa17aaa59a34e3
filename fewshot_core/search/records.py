"""What is recorded of an epoch.

Accuracies here are the supernet's, measured by the search. Those of the architecture it would
return are looked up in a table when they are shown.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fewshot_core.search.errors import SearchError
from fewshot_core.space import EDGES, OPERATIONS


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of a search.

    Attributes:
        epoch: Epochs done. Record 0 is from before the first one, with all operations of an edge
            weighted alike: for inherited weights, the accuracy right after copying them.
        train_loss: Mean cross-entropy of the weight steps, or None in record 0.
        train_accuracy: Accuracy in the weight steps, in percent, or None in record 0.
        valid_loss: Mean cross-entropy over the held-out half of the images.
        valid_accuracy: The supernet's validation accuracy: on the held-out half, in percent.
        architecture: The architecture that the search would return now.
        architecture_index: Its index.
        probabilities: For each of the six edges, the probability of each of the five operations;
            0 for those that are not in the sub-space.
        entropy: For each edge, the entropy of its probabilities, in bits.
        temperature: The temperature of the epoch, or None where there is none.
        seconds: The time it took.
    """

    epoch: int
    train_loss: float | None
    train_accuracy: float | None
    valid_loss: float
    valid_accuracy: float
    architecture: str
    architecture_index: int
    probabilities: tuple[tuple[float, ...], ...]
    entropy: tuple[float, ...]
    temperature: float | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values that can be written as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "EpochRecord":
        """Read what ``to_dict`` returns, from JSON or not.

        Raises:
            SearchError: If it is something else.
        """
        try:
            values = dict(document)
            values["probabilities"] = tuple(tuple(row) for row in document["probabilities"])
            values["entropy"] = tuple(document["entropy"])
            record = cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise SearchError(f"no record of an epoch: {error!r}") from error
        shape = [len(row) for row in record.probabilities]
        if shape != [len(OPERATIONS)] * len(EDGES) or len(record.entropy) != len(EDGES):
            raise SearchError(
                f"no record of an epoch: expected the probabilities of {len(OPERATIONS)} "
                f"operations on {len(EDGES)} edges, got rows of {shape}"
            )
        return record


@dataclass(frozen=True)
class TrainingRecord:
    """One epoch of a supernet's training.

    Attributes:
        epoch: Epochs done.
        train_loss: Mean cross-entropy of the steps.
        train_accuracy: Accuracy in the steps, in percent.
        valid_loss: Mean cross-entropy over the held-out half, or None where nothing is held out.
        valid_accuracy: Accuracy on the held-out half, in percent, or None.
        learning_rate: The learning rate of the epoch.
        seconds: The time it took.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float | None
    valid_accuracy: float | None
    learning_rate: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values that can be written as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "TrainingRecord":
        """Read what ``to_dict`` returns.

        Raises:
            SearchError: If it is something else.
        """
        try:
            return cls(**document)
        except TypeError as error:
            raise SearchError(f"no record of an epoch: {error!r}") from error
