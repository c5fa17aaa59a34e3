"""Synthetic images that a network can learn, for a machine without any data set.

Each class has its own two gratings and its own tint; an image of the class shows them with
random phases and strengths, shifted, under noise. A linear classifier does poorly on them, because
the phases are random; a small network does well. They say nothing about the real data set.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewshot_core.datasets import Dataset

SYNTHETIC = "synthetic"
"""Name of the source and of the format of synthetic images."""

RECIPE = "gratings-1"
"""The version of the recipe; it changes whenever an image does."""

_COUNTS = {"train": 10_000, "test": 2_000}


@dataclass(frozen=True)
class SyntheticReader:
    """Reader of a split of synthetic images; each image depends only on its number."""

    dataset: Dataset
    split: str

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of every image, in rotation."""
        return np.arange(_COUNTS[self.split]) % self.dataset.classes

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Generate the images of some numbers, (n, 3, H, W)."""
        labels = self.labels
        return np.stack([self._image(int(row), int(labels[row])) for row in rows])

    def _image(self, row: int, label: int) -> npt.NDArray[np.uint8]:
        size = self.dataset.image_size
        style = np.random.default_rng([1, label])
        angles = style.uniform(0, np.pi, 2)
        waves = style.uniform(1.5, size / 5, 2)
        colours = style.normal(0, 1, (2, 3))
        draw = np.random.default_rng([2, row, self.split == "test"])
        y, x = np.mgrid[0:size, 0:size] / size
        image = np.zeros((3, size, size))
        for angle, wave, colour in zip(angles, waves, colours, strict=True):
            along = x * np.cos(angle) + y * np.sin(angle)
            phase = draw.uniform(0, 2 * np.pi)
            strength = draw.uniform(0.5, 1.0)
            image += strength * colour[:, None, None] * np.sin(2 * np.pi * wave * along + phase)
        image += draw.normal(0, 0.5, image.shape) + draw.normal(0, 0.3, (3, 1, 1))
        return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)
