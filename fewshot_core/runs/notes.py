"""Names, notes and tags that a user gives to runs, in one file beside the run folders.

They are no part of a run: its name in requests and URLs and its folder stay as they are, and a
demonstration run can have them, too.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fewshot_core.data_folder import locked, write_json
from fewshot_core.documents import (
    DAMAGE,
    DamageError,
    describe_damage,
    read_dataclass,
    read_document,
    shown,
)
from fewshot_core.errors import RunError
from fewshot_core.runs.folder import FileCache, runs_dir

FILE = "notes.json"


@dataclass(frozen=True)
class Notes:
    """What a user says of a run; a pinned run is listed first."""

    name: str = ""
    text: str = ""
    tags: tuple[str, ...] = ()
    pinned: bool = False


def read_notes(data_dir: Path) -> Mapping[str, Notes]:
    """Read the notes of all runs that have any; raises RunError if their file is damaged."""
    return _NOTES.read(runs_dir(data_dir) / FILE)


def write_notes(notes: Mapping[str, Notes], data_dir: Path) -> None:
    """Replace the notes of some runs, by run; raises as ``read_notes``, and then changes nothing.

    Writing also changes the time of the folder of runs, so that open pages show the new ones.
    """
    with locked(runs_dir(data_dir)):
        changed = {**read_notes(data_dir), **notes}
        kept = {run_id: asdict(each) for run_id, each in changed.items() if each != Notes()}
        write_json(runs_dir(data_dir) / FILE, kept)


def _read(path: Path) -> Mapping[str, Notes]:
    try:
        document = read_document(path)
        if not isinstance(document, dict):
            raise DamageError(f"expected notes by run, got {shown(document)}")
        return {
            run_id: read_dataclass(Notes, entry, f"the entry {run_id}", RunError)
            for run_id, entry in document.items()
        }
    except FileNotFoundError:
        return {}
    except (RunError, *DAMAGE) as error:
        raise RunError(
            f"the notes and tags of runs cannot be read: {describe_damage(error)}; correct "
            f"{path}, or delete it to start over"
        ) from error


_NOTES = FileCache(_read)
