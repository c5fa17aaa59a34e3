"""What accuracy tables can be read from.

To add an importer, write a function ``(path, mapping) -> Reading`` in a module of its own and add
a record here. The module is imported when the function is first called, so that this package
starts without the libraries it needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fewshot_core.bench.content import Reading
from fewshot_core.bench.mapping import ColumnMapping
from fewshot_core.errors import TableError
from fewshot_core.registry import Registry
from fewshot_core.resolve import resolve


@dataclass(frozen=True)
class Importer:
    """One kind of input.

    Attributes:
        name: The name it is asked for by.
        label: Its name in the app.
        description: What the input is, in a sentence.
        read: ``"module:function"`` of its reader, ``(path, mapping) -> Reading``.
        recognises: Whether a path looks like its input.
        takes_mapping: Whether a reader may say what its columns are.
    """

    name: str
    label: str
    description: str
    read: str
    recognises: Callable[[Path], bool]
    takes_mapping: bool = False


def _is_csv(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith((".csv", ".csv.gz"))


def _is_nats_folder(path: Path) -> bool:
    return path.is_dir() and any(path.glob("*.pickle.pbz2"))


def _is_pth(path: Path) -> bool:
    return path.is_file() and path.suffix == ".pth"


IMPORTERS: Registry[Importer] = Registry("importer")
IMPORTERS.add(
    Importer(
        name="csv",
        label="CSV file",
        description="a .csv or .csv.gz file with one row for each of the 15,625 architectures",
        read="fewshot_core.bench.csv_file:read_csv",
        recognises=_is_csv,
        takes_mapping=True,
    )
)
IMPORTERS.add(
    Importer(
        name="nats-folder",
        label="NATS-Bench folder",
        description="a folder of NATS-Bench's topology archive, with files like 000011.pickle.pbz2",
        read="fewshot_core.bench.nats_folder:read_nats_folder",
        recognises=_is_nats_folder,
    )
)
IMPORTERS.add(
    Importer(
        name="nasbench201-pth",
        label="NAS-Bench-201 file",
        description="a .pth file of NAS-Bench-201, like NAS-Bench-201-v1_1-096897.pth",
        read="fewshot_core.bench.nasbench201_file:read_nasbench201_file",
        recognises=_is_pth,
    )
)


def choose_importer(path: Path, name: str | None = None) -> Importer:
    """Return the importer of that name or, without one, the first that recognises the path.

    Raises:
        UnknownNameError: If there is no importer of that name.
        TableError: If the path does not exist, or no importer recognises it.
    """
    if not path.exists():
        raise TableError(f"expected a file or folder to import, but {path} does not exist")
    if name is not None:
        return IMPORTERS.get(name)
    for importer in IMPORTERS:
        if importer.recognises(path):
            return importer
    known = "; ".join(f"{importer.name}: {importer.description}" for importer in IMPORTERS)
    raise TableError(f"cannot tell how to read {path.name}. Expected one of: {known}")


def read_input(
    path: Path, mapping: ColumnMapping | None = None, importer: str | None = None
) -> tuple[Importer, Reading]:
    """Read an input with the importer of that name, or the one that recognises it.

    Raises:
        UnknownNameError: If there is no importer of that name.
        TableError: If the input cannot be read, or takes no mapping.
    """
    chosen = choose_importer(path, importer)
    if mapping is not None and not chosen.takes_mapping:
        raise TableError(
            f"{path.name} is read as {chosen.description}, which says itself what it holds; "
            "leave the mapping of columns out"
        )
    try:
        reading: Reading = resolve(chosen.read)(path, mapping)
    except OSError as error:
        raise TableError(f"cannot read {path.name} as {chosen.description}: {error}") from error
    return chosen, reading
