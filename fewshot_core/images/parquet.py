"""Reading Parquet files in the layout of the Hugging Face hub; imports pyarrow."""

import io
from collections.abc import Sequence
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
from fewshot_core.images.pickles import LARGEST, check_labels

_IMAGE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("label", "labels")
_FINE_LABEL_COLUMNS = ("fine_label", *_LABEL_COLUMNS)
"""CIFAR-100 also has coarse labels, so that its own have another name."""

_DAMAGE = (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError)


def open_shards(
    dataset: Dataset, place: Path, split: str, shards: Sequence[Path]
) -> "ParquetReader":
    """Open the files of a split without decoding any image; may raise ImagesError."""
    if not shards:
        raise ImagesError(f"{place}: expected files {split}-*.parquet, found none")
    try:
        parts = [_read_shard(dataset, shard) for shard in shards]
        table = pa.concat_tables(parts)
    except pa.ArrowException as error:
        raise ImagesError(f"{place}: the {split} files do not match ({error})") from error
    labels = table.column("label").to_numpy().astype(np.int64)
    check_labels(labels, dataset, str(shards[0] if len(shards) == 1 else place))
    return ParquetReader(table.column("image"), labels, dataset.image_size, place)


@dataclass(frozen=True)
class ParquetReader:
    """A split of Parquet files of square images, still encoded: structs with ``bytes``."""

    images: pa.ChunkedArray
    labels: npt.NDArray[np.int64]
    size: int
    place: Path

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Decode some rows; raises ``ImagesError`` if one cannot be or has another size."""
        encoded = pc.struct_field(self.images.take(pa.array(rows)), "bytes")
        pixels = np.empty((len(rows), 3, self.size, self.size), dtype=np.uint8)
        for position, (row, content) in enumerate(zip(rows, encoded, strict=True)):
            pixels[position] = self._decode(int(row), content.as_py())
        return pixels

    def _decode(self, row: int, content: bytes | None) -> npt.NDArray[np.uint8]:
        name = f"{self.place}: image {row}"
        try:
            image = Image.open(io.BytesIO(content or b""))
            if image.size != (self.size, self.size):
                raise ImagesError(
                    f"{name}: expected {self.size}x{self.size} pixels, "
                    f"got {image.width}x{image.height}"
                )
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        except _DAMAGE as error:
            raise ImagesError(f"{name} cannot be decoded ({error}); get it again") from error


def _read_shard(dataset: Dataset, path: Path) -> pa.Table:
    """The columns ``image`` and ``label`` of a file, renamed."""
    wanted = _FINE_LABEL_COLUMNS if dataset.name == "cifar100" else _LABEL_COLUMNS
    try:
        _check_size(path)
        schema = pq.read_schema(path)
        image = _column(path, schema.names, _IMAGE_COLUMNS)
        label = _column(path, schema.names, wanted)
        _check_types(path, schema.field(image).type, schema.field(label).type)
        table = pq.read_table(path, columns=[image, label])
    except (pa.ArrowException, OSError) as error:
        raise ImagesError(f"{path} cannot be read ({error}); get it again") from error
    if table.column(label).null_count:
        raise ImagesError(f"{path}: expected a label for every image, some are missing")
    return pa.table({"image": table.column(image), "label": table.column(label).cast(pa.int64())})


def _check_size(path: Path) -> None:
    metadata = pq.read_metadata(path)
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    if size > LARGEST:
        raise ImagesError(
            f"{path} holds {size / 1e6:,.0f} MB, expected at most {LARGEST / 1e6:,.0f} MB; split "
            "it into several files"
        )


def _check_types(path: Path, image: pa.DataType, label: pa.DataType) -> None:
    encoded = pa.types.is_struct(image) and image.get_field_index("bytes") >= 0
    if not encoded or not pa.types.is_integer(label):
        raise ImagesError(
            f"{path}: expected encoded images (a struct with 'bytes') and whole numbers as "
            f"labels, got {image} and {label}"
        )


def _column(path: Path, names: list[str], wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in names:
            return name
    raise ImagesError(f"{path}: expected a column {' or '.join(wanted)}, got {', '.join(names)}")
