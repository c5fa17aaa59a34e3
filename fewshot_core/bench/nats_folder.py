"""The importer of NATS-Bench's topology archive: a folder with one file per architecture.

The number in a file's name is NATS-Bench's own; it is not the index of the architecture.
"""

import bz2
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nats_bench import ArchResults

from fewshot_core.bench.arch_results import DAMAGE, EPOCHS, Collector
from fewshot_core.bench.content import Reading
from fewshot_core.bench.mapping import ColumnMapping
from fewshot_core.datafolder import read_limited
from fewshot_core.errors import TableError
from fewshot_core.safe_pickle import NUMPY_SCALARS, load_pickle

_NAME = re.compile(r"(\d+)\.pickle\.pbz2")
LARGEST = 200_000_000
"""The most bytes of a file, unpacked; those of the published archive are far smaller."""

_META = "meta.pickle.pbz2"
_PREVIEW_ROWS = 5


def read_nats_folder(path: Path, mapping: ColumnMapping | None = None) -> Reading:
    """Read a folder of NATS-Bench, as much of it as is there.

    Args:
        path: The folder, with files like ``000011.pickle.pbz2`` and, as a rule, the meta file.
        mapping: Not used: the files say what they hold.

    Raises:
        TableError: If the folder has no such file, or one is damaged; the message names it.
    """
    names = _read_meta(path / _META)
    collector = Collector()
    for file in sorted(path.glob("*.pickle.pbz2")):
        match = _NAME.fullmatch(file.name)
        if match is not None:
            results = _read_results(file)
            name = names.get(int(match[1]), results.arch_str)
            collector.add(results, name, file.name)
    content = collector.content(f"{path.name}, read with nats-bench {version('nats-bench')}")
    return Reading(content, content.accuracy.head(_PREVIEW_ROWS))


def _read_meta(path: Path) -> dict[int, str]:
    """Return the architecture string of every number; nothing where there is no meta file."""
    if not path.exists():
        return {}
    meta = _load(path)
    names = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(names, list):
        raise TableError(
            f"{path.name}: expected a list of architectures under 'meta_archs'; get the file again "
            "from where it came from"
        )
    return dict(enumerate(names))


def _read_results(path: Path) -> Any:
    records = _load(path)
    try:
        return ArchResults.create_from_state_dict(records[str(EPOCHS)])
    except DAMAGE as error:
        raise TableError(
            f"{path.name}: expected results under the key '{EPOCHS}' ({type(error).__name__}: "
            f"{error}); get the file again from where it came from"
        ) from error


def _load(path: Path) -> Any:
    try:
        data = read_limited(path, LARGEST, bz2.open)
    except (OSError, EOFError, ValueError) as error:
        raise TableError(
            f"{path.name} cannot be decompressed ({error}); get the file again from where it came "
            "from"
        ) from error
    return load_pickle(data, path.name, NUMPY_SCALARS)
