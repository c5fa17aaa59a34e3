"""Importing an accuracy table: the importers, a preview of what was understood, and storing it.

To add an importer, write a function ``(path, mapping) -> TablePreview`` and add a record here. It
imports PyTorch locally, if it needs that, so that this package starts without it.
"""

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fewshot_core.bench.csv_importer import read_csv
from fewshot_core.bench.published import (
    USUAL_EPOCHS,
    parse_epochs,
    read_json,
    read_nasbench201_file,
    read_nats_folder,
)
from fewshot_core.bench.storage import is_table_name, open_table, tables_folder, write_table
from fewshot_core.bench.table import (
    PACKAGED_TABLE,
    ColumnMapping,
    TableColumn,
    TableContent,
    TableInfo,
    TablePreview,
    fingerprint_input,
    without_accuracies,
)
from fewshot_core.data_folder import canonical_json, locked, safe_name, text_fingerprint, typed_path
from fewshot_core.errors import TableError
from fewshot_core.registry import Registry
from fewshot_core.space import SearchSpace, read_space, store_space

_ENDINGS = re.compile(r"(\.csv|\.csv\.gz|\.pth|\.json)$", re.IGNORECASE)


@dataclass(frozen=True)
class Importer:
    """One kind of input: ``read`` reads a path, and ``recognises`` says if it looks like one.

    It is given the mapping and the search space that the user states, if any. Where it
    ``takes_mapping`` the user may state what its columns are. One that ``takes_epochs`` is given
    those after which accuracies become estimates.
    """

    name: str
    label: str
    description: str
    read: Callable[..., TablePreview]
    recognises: Callable[[Path], bool]
    takes_mapping: bool = False
    takes_epochs: bool = False


IMPORTERS = Registry(
    "importer",
    Importer(
        name="csv",
        label="CSV file",
        description="a .csv or .csv.gz file with one row for each architecture of a space",
        read=read_csv,
        recognises=lambda path: path.is_file() and path.name.lower().endswith((".csv", ".csv.gz")),
        takes_mapping=True,
    ),
    Importer(
        name="nats-folder",
        label="NATS-Bench folder",
        description="a folder of NATS-Bench's topology archive, with files like 000011.pickle.pbz2",
        read=lambda path, mapping, space, epochs: read_nats_folder(path, epochs),
        recognises=lambda path: path.is_dir() and any(path.glob("*.pickle.pbz2")),
        takes_epochs=True,
    ),
    Importer(
        name="nasbench201-pth",
        label="NAS-Bench-201 file",
        description="a .pth file of NAS-Bench-201, like NAS-Bench-201-v1_1-096897.pth",
        read=lambda path, mapping, space, epochs: read_nasbench201_file(path, epochs),
        recognises=lambda path: path.is_file() and path.suffix == ".pth",
        takes_epochs=True,
    ),
    Importer(
        name="json",
        label="JSON file",
        description="the JSON file of NAS-Bench-Macro, or NASLib's of TransNAS-Bench-101 micro",
        read=lambda path, mapping, space: read_json(path),
        recognises=lambda path: path.is_file() and path.suffix.lower() == ".json",
    ),
)

READ_IN_PLACE = ("csv", "json")
"""Importers whose files may be used as tables without being stored."""


def preview_table(
    path: Path | str,
    mapping: ColumnMapping | None = None,
    importer: str | None = None,
    space: SearchSpace | None = None,
    epochs: str | None = None,
) -> TablePreview:
    """Read an input without storing it, by default with the first importer that recognises it.

    A CSV file with a known header needs no mapping; for another one a mapping is proposed. The
    space is by default that of the mapping or the known header, else NAS-Bench-201. The epochs of
    an archive whose accuracies become estimates are "all" or like ``1,5,10``, by default
    ``USUAL_EPOCHS``.

    Raises:
        UnknownNameError: If there is no importer of that name.
        TableError: If the input does not exist, is damaged or no table at all, takes no mapping, or
            is of another space.
    """
    path = typed_path(path)
    chosen = _choose_importer(path, importer)
    if mapping is not None and not chosen.takes_mapping:
        raise TableError(
            f"{path.name} is read as {chosen.description}, which states itself what it holds; "
            "leave the mapping of columns out"
        )
    if epochs is not None and not chosen.takes_epochs:
        raise TableError(f"{path.name} is read as {chosen.description}: leave the epochs out")
    wanted = [USUAL_EPOCHS if epochs is None else parse_epochs(epochs)] * chosen.takes_epochs
    try:
        preview = chosen.read(path, mapping, space, *wanted)
    except OSError as error:
        raise TableError(f"cannot read {path.name} as {chosen.description}: {error}") from error
    found = preview.content.space if preview.content else None
    if space is not None and found not in (None, space):
        raise TableError(f"{path.name}: expected a table of {space.name}, got one of {found.name}")
    return dataclasses.replace(preview, importer=chosen.name, name=_suggest_name(path))


def _choose_importer(path: Path, name: str | None) -> Importer:
    if not path.exists():
        raise TableError(f"expected a file or folder to import, but {path} does not exist")
    if name is not None:
        return IMPORTERS.get(name)
    for importer in IMPORTERS:
        if importer.recognises(path):
            return importer
    known = "; ".join(f"{importer.name}: {importer.description}" for importer in IMPORTERS)
    raise TableError(f"cannot recognise the format of {path.name}. Expected one of: {known}")


def import_table(
    path: Path | str,
    name: str | None = None,
    label: str | None = None,
    mapping: ColumnMapping | None = None,
    importer: str | None = None,
    replace: bool = False,
    data_dir: Path | str | None = None,
    space: SearchSpace | None = None,
    epochs: str | None = None,
) -> TableInfo:
    """Read an input and store it as a table. If it is refused, nothing stored changes.

    The name to load it by is by default made from the file's, and its label in the app from the
    name; mapping, importer, space and epochs are as in ``preview_table``.

    Raises:
        UnknownNameError: If there is no such importer.
        TableError: If the input is refused, or the name is taken or not a possible one. The
            message names the row, and what to do.
    """
    path = typed_path(path)
    root = tables_folder(data_dir)
    chosen = _suggest_name(path) if name is None else name
    _check_name(root, chosen, replace)
    content = preview_table(path, mapping, importer, space, epochs).accepted()
    return _store(path, root, chosen, label or chosen, content, replace)


def _store(
    path: Path, root: Path, name: str, label: str, content: TableContent, replace: bool
) -> TableInfo:
    fingerprint = fingerprint_input(path)
    with locked(root):
        _check_name(root, name, replace)  # it may have been taken meanwhile
        return write_table(root, name, label, content, fingerprint)


def store_estimate(
    name: str,
    values: Mapping[int, float],
    column: TableColumn,
    source: str,
    space: SearchSpace,
    data_dir: Path | str | None = None,
) -> TableInfo:
    """Store an estimate of some architectures, by index, as a table; one of that name stays.

    Raises TableError if there is none.
    """
    frame = pd.DataFrame({"architecture": list(values), column.name: list(values.values())})
    content = without_accuracies(source, frame, [column], space)
    root = tables_folder(data_dir)
    with locked(root):
        if (root / name).exists():
            return open_table(root / name).info
        fingerprint = text_fingerprint(canonical_json([list(pair) for pair in values.items()]))
        return write_table(root, name, name, content, fingerprint)


def import_space(
    path: Path, tables: Sequence[Path], data_dir: Path | str | None = None, replace: bool = False
) -> tuple[SearchSpace, list[TableInfo]]:
    """Store the declaration of a search space and tables of it; nothing unless all are accepted.

    Raises SpaceError or TableError.
    """
    space, root = read_space(path), tables_folder(data_dir)
    names = [_suggest_name(table) for table in tables]
    for name in names:
        _check_name(root, name, replace)
    contents = [preview_table(table, space=space).accepted() for table in tables]
    store_space(path, data_dir, replace)
    return space, [
        _store(table, root, name, name, content, replace)
        for table, name, content in zip(tables, names, contents, strict=True)
    ]


def _suggest_name(path: Path) -> str:
    return safe_name(_ENDINGS.sub("", Path(os.path.realpath(path)).name), "table", length=255)


def _check_name(root: Path, name: str, replace: bool) -> None:
    if not is_table_name(name):
        raise TableError(
            "expected a table name of letters, digits, dots, dashes and underscores that starts "
            f"with a letter or digit, got {name!r}"
        )
    if name == PACKAGED_TABLE:
        raise TableError(
            f"the name {name!r} belongs to the table that comes with the installation; choose "
            "another name"
        )
    if (root / name).exists() and not replace:
        raise TableError(f"there is a table {name!r} already; choose another name, or replace it")
