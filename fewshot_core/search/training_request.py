"""What is asked of a supernet's training, in a form that is the same for the same question."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fewshot_core.datasets import DATASETS
from fewshot_core.images import source_fingerprint
from fewshot_core.search.checks import check_integer
from fewshot_core.search.options import TrainingOptions
from fewshot_core.search.request_parts import build, digest, given, read_values

FORMAT = "fewshot-training-request/1"


@dataclass(frozen=True)
class TrainingRequest:
    """The training of a supernet of the full space.

    Attributes:
        dataset: The data set's name.
        options: Hyperparameters.
        seed: Seed of the initial weights and of everything that is drawn.
        images: An image source's name or path, or None for the first real one.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        mixed_precision: Whether bfloat16 is used where the device is CUDA.
        compiled: Whether the network goes through ``torch.compile``.

    Raises:
        SearchError: If a number is out of range.
        UnknownNameError: If the data set does not exist.
    """

    dataset: str
    options: TrainingOptions = field(default_factory=TrainingOptions)
    seed: int = 0
    images: str | None = None
    device: str = "cpu"
    mixed_precision: bool = True
    compiled: bool = False

    def __post_init__(self) -> None:
        DATASETS.get(self.dataset)
        check_integer(self, "seed", 0, 2**63 - 1)

    def canonical(self) -> dict[str, Any]:
        """Return the request without what cannot change its result."""
        document = {"format": FORMAT, **asdict(self)}
        if self.device != "cuda":
            document["mixed_precision"] = None
        return document

    def fingerprints(self, data_dir: Path) -> dict[str, str | None]:
        """Return the SHA-256 of the images.

        Raises:
            ImagesError: If there are no such images.
        """
        return {"images": source_fingerprint(self.dataset, self.images, data_dir)}

    def run_id(self, fingerprints: Mapping[str, str | None]) -> str:
        """Return the name of the run: the same for the same request on the same input."""
        document = self.canonical() | {"images": None}
        return f"train-{self.dataset}-{digest(document, fingerprints)}"

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "TrainingRequest":
        """Read what ``canonical`` returns.

        Raises:
            SearchError: If it is of another format or damaged.
        """
        values = read_values(document, FORMAT)
        options = TrainingOptions.from_dict(given(values.pop("options")))
        return build(cls, values | {"options": options})
