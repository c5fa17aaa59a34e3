"""The three data sets of the paper: classes, image sizes, channel statistics."""

from dataclasses import dataclass

from fewshot_core.registry import Registry


@dataclass(frozen=True)
class Dataset:
    """A data set of NAS-Bench-201: ``name`` in every file and option, ``label`` in the app.

    ``image_size`` is height and width in pixels; ``mean`` and ``std``, the standard deviation, are
    those of each colour channel, for pixels between 0 and 1.
    """

    name: str
    label: str
    classes: int
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


# Channel statistics as NAS-Bench-201 uses them to normalise (Section 2.2 of Dong and Yang, 2020).
DATASETS = Registry(
    "data set",
    Dataset("cifar10", "CIFAR-10", 10, 32, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    Dataset("cifar100", "CIFAR-100", 100, 32, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    Dataset(
        name="ImageNet16-120",
        label="ImageNet16-120",
        classes=120,
        image_size=16,
        mean=(0.4811, 0.4575, 0.4078),
        std=(0.2633, 0.2565, 0.2683),
    ),
)
