"""A split with its name, as it goes into files and comes out of them."""

from dataclasses import dataclass, field

from fewshot_core.errors import SpaceError, SplittingError
from fewshot_core.space import SubSpace, check_partition
from fewshot_core.splitting.tree import SplitTree


@dataclass(frozen=True)
class NamedSplit:
    """A split of the whole space, of which it is known what it is called.

    Attributes:
        name: The metric that decided or, where that is not known, what its file is called.
        dataset: The data set it was made for, or None where that is not known.
        leaves: Sub-spaces that cover all architectures once.
        tree: The decisions that led to them, where they are known.

    Raises:
        SplittingError: If the sub-spaces overlap or leave architectures out; the message counts
            them.
    """

    name: str
    dataset: str | None
    leaves: tuple[SubSpace, ...]
    tree: SplitTree | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        try:
            check_partition(self.leaves)
        except SpaceError as error:
            raise SplittingError(f"{self.title}: {error}") from error

    @property
    def title(self) -> str:
        """The name with the data set: "params on cifar10"."""
        return self.name if self.dataset is None else f"{self.name} on {self.dataset}"
