"""Parquet files in the layout of the Hugging Face hub: encoded images with their labels."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from fewshot_core.datasets import Dataset
from fewshot_core.errors import ImagesError

_IMAGE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("fine_label", "label", "labels")
_SUFFIX = ".parquet"


def locate(dataset: Dataset, place: Path) -> Path | None:
    """Return the place itself, its ``data`` or its ``plain_text`` folder, if it has the files."""
    if not place.is_dir():
        return None
    for folder in (place, place / "data", place / "plain_text"):
        if _shards(folder, "train"):
            return folder
    return None


def files(dataset: Dataset, place: Path) -> list[Path]:
    """Return the files that hold the training images."""
    return _shards(place, "train")


def open_split(dataset: Dataset, place: Path, split: str) -> "ParquetReader":
    """Open a split without decoding any image.

    Raises:
        ImagesError: If a file is missing, damaged or of another layout.
    """
    shards = _shards(place, split)
    if not shards:
        raise ImagesError(f"{place}: expected files {split}-*{_SUFFIX}, found none")
    try:
        schema = pq.read_schema(shards[0])
        image = _column(shards[0], schema.names, _IMAGE_COLUMNS)
        label = _column(shards[0], schema.names, _LABEL_COLUMNS)
        table = pa.concat_tables(pq.read_table(shard, columns=[image, label]) for shard in shards)
    except (pa.ArrowException, OSError) as error:
        raise ImagesError(f"{shards[0]} cannot be read ({error}); get it again") from error
    return ParquetReader(table.column(image), table.column(label), dataset.image_size, place)


@dataclass(frozen=True)
class ParquetReader:
    """A split of Parquet files, its images still encoded.

    Attributes:
        images: Structs with the field ``bytes``.
        labels: Class numbers.
        size: Expected height and width.
        place: The folder, for messages.
    """

    images: pa.ChunkedArray
    labels: pa.ChunkedArray
    size: int
    place: Path

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.labels)

    def read(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Decode some rows; return pixels (n, 3, H, W) and labels (n,).

        Raises:
            ImagesError: If an image cannot be decoded or has another size.
        """
        indices = pa.array(rows)
        encoded = pc.struct_field(self.images.take(indices), "bytes")
        labels = self.labels.take(indices).to_numpy().astype(np.int64)
        pixels = np.empty((len(rows), 3, self.size, self.size), dtype=np.uint8)
        for position, (row, content) in enumerate(zip(rows, encoded, strict=True)):
            pixels[position] = self._decode(int(row), content.as_py())
        return pixels, labels

    def _decode(self, row: int, content: bytes | None) -> npt.NDArray[np.uint8]:
        name = f"{self.place}: image {row}"
        try:
            image = Image.open(io.BytesIO(content or b"")).convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ImagesError(f"{name} cannot be decoded ({error})") from error
        if image.size != (self.size, self.size):
            raise ImagesError(
                f"{name}: expected {self.size}x{self.size} pixels, got {image.width}x{image.height}"
            )
        return np.asarray(image).transpose(2, 0, 1)


def _shards(folder: Path, split: str) -> list[Path]:
    return sorted(folder.glob(f"{split}*{_SUFFIX}"))


def _column(path: Path, names: list[str], wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in names:
            return name
    raise ImagesError(f"{path}: expected a column {' or '.join(wanted)}, got {', '.join(names)}")
