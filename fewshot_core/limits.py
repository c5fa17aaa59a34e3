"""The most that is read of files from elsewhere: sizes, numbers of values, memory and time.

``docs/security.md`` lists these limits. Sizes are in bytes, after decompression.
"""

MEGABYTE = 1_000_000

TABLE_BYTES = 400 * MEGABYTE
"""A CSV or JSON file of an accuracy table, as much as the app accepts as an upload."""

CURVES_BYTES = 50 * MEGABYTE
"""A CSV file of curves; 600 epochs of 1,000 searches are about half of it."""

SPLIT_BYTES = 16 * MEGABYTE
"""The files of a split together."""

TEXT_BYTES = 1 * MEGABYTE
"""A TOML file of a grid or a search space."""

YAML_BYTES = 100_000
"""A YAML file; a search configuration has about 2,000 bytes, and PyYAML is slow."""

RUN_BYTES = 100 * MEGABYTE
"""A JSON file of a run."""

IMAGES_BYTES = 500 * MEGABYTE
"""A file of images, also inside an archive; the largest official one has 155 MB."""

CHECKPOINT_BYTES = 2_000 * MEGABYTE
"""A checkpoint; one of a full-size supernet is far smaller."""

NATS_BYTES = 200 * MEGABYTE
"""A file of a NATS-Bench folder."""

NAS_BENCH_201_BYTES = 10_000 * MEGABYTE
"""A file of NAS-Bench-201; the largest published one has about half as many."""

CSV_COLUMNS = 2_000
"""Columns of a CSV file."""

CSV_ROWS = 20_000_000
"""Rows of a CSV file: as many as the largest search space has architectures."""

CSV_CELLS = 40_000_000
"""Cells of a CSV file: 100 bytes of memory each, at most."""

PARQUET_ROWS = 200_000_000
"""Rows of a stored table, which has one for each architecture, data set and kind."""

LINE_CHARACTERS = 1_000_000
"""Characters of a line of a CSV file, and lines of one row."""

TOML_LINE = 10_000
"""Characters of a line of a TOML file."""

FILES = 20_000
"""Files of a folder; a NATS-Bench folder has 15,626."""

LEAVES = 20_000
"""Sub-spaces of a split."""

VALUES = 5_000_000
"""Values in a JSON, TOML or YAML document."""

DEPTH = 50
"""Nested levels of a document."""

INTEGER = 2**63
"""Size of a whole number in a document."""

RUNS = 100_000
"""Runs of a grid."""

YEAR_10000 = 253_402_300_800.0
"""The end of time stamps, in seconds since the epoch."""


def memory(size: int) -> int:
    """Memory in bytes to read files of so many bytes in a process of its own."""
    return 800 * MEGABYTE + 8 * size


def seconds(size: int) -> float:
    """Processor time to read files of so many bytes in a process of its own."""
    return 8.0 + size / (10 * MEGABYTE)
