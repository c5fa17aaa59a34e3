"""Overview of all runs: summaries, differences, damage, quarantine, and the notes of a user."""

import json
import os
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from fewshot_core.data_folder import locked, write_json
from fewshot_core.documents import (
    DAMAGE,
    DamageError,
    describe_damage,
    open_regular,
    read_dataclass,
    read_document,
    read_parquet,
    shown,
)
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.runs.folder import (
    RUN_NAME,
    SETTLED_SECONDS,
    FileCache,
    RunFolder,
    State,
    Status,
    list_folders,
    list_runs,
    runs_dir,
)
from fewshot_core.runs.jobs import is_active
from fewshot_core.runs.requests import (
    FORMAT_1,
    Request,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
    name_of_format_1,
    read_request,
)
from fewshot_core.search.records import CHECKPOINT, RECORDS, TABLE

QUARANTINE = ".quarantine"
"""The folder, among the runs, that damaged ones are moved to."""


def is_run(folder: RunFolder) -> bool:
    """Whether a folder among the runs is one: it has a manifest and the name of a run."""
    return RUN_NAME.fullmatch(folder.path.name) is not None and folder.manifest_path.is_file()


def reading_problem(folder: RunFolder) -> str | None:
    """Why the request or status of a run cannot be read, or None; the result is not checked."""
    if not folder.manifest_path.is_file():
        return f"{folder.run_id} is no run: it has no manifest.json"
    if not RUN_NAME.fullmatch(folder.path.name):
        return f"{folder.run_id} is no run: expected a name of letters, digits, dots and dashes"
    try:
        folder.request()
        folder.status()
    except FewshotError as error:
        return str(error)
    return None


def quarantine(folder: RunFolder) -> Path:
    """Move a run's folder into quarantine and return its new path; nothing is deleted.

    Raises RunError if a process is working on it, or it is gone.
    """
    if is_active(folder):
        raise RunError(f"{folder.run_id} is running: cancel it before you move it into quarantine")
    place = folder.path.parent / QUARANTINE
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    target = place / f"{folder.run_id}-{stamp}"
    with locked(folder.path.parent):
        place.mkdir(exist_ok=True)
        try:
            folder.path.rename(target)
        except FileNotFoundError as error:
            raise RunError(f"there is no run {folder.run_id!r} any more") from error
    return target


def find_damage(folder: RunFolder) -> list[str]:
    """List what is wrong with a run folder; all is read that needs no PyTorch.

    A run that is not done may lack results.
    """
    problem = reading_problem(folder)
    if problem is not None:
        return [problem]
    found = []
    request = folder.request()
    state = folder.status().state
    names = _names(folder, request)
    if request.missing is None and folder.run_id not in names:
        found.append(
            f"{folder.run_id} holds the run {' or '.join(names) or 'of another folder'}: it was "
            "renamed, or changed by hand"
        )
    if state.active:
        return found
    try:
        if isinstance(request, SplitRequest):
            folder.tree()
        if state is State.DONE and not folder.is_complete():
            found.append(f"{folder.run_id} is done but its result is incomplete; start it again")
    except FewshotError as error:
        found.append(str(error))
    if isinstance(request, SearchRequest | TrainingRequest):
        found += [*_table_damage(folder), *_checkpoint_damage(folder)]
    return found


def _names(folder: RunFolder, request: Request) -> list[str]:
    """Return the names that a run may have: what it is called now, and in version 0.1."""
    manifest = folder.manifest()
    fingerprints, document = manifest.get("fingerprints", {}), manifest["request"]
    names = [request.run_id(fingerprints)]
    if document["format"] in FORMAT_1:
        names.append(name_of_format_1(request.kind, document, fingerprints))
    return names


def _table_damage(folder: RunFolder) -> list[str]:
    path = folder.path / TABLE
    if not path.exists():  # it is a copy of the records for other programs
        return []
    try:
        epochs = read_parquet(path, ["epoch"])["epoch"].to_pylist()
    except DAMAGE as error:
        return [f"{folder.run_id}: {TABLE} cannot be read: {describe_damage(error)}"]
    if epochs != [record["epoch"] for record in folder.records()]:
        return [f"{folder.run_id}: {TABLE} holds other epochs than the records; start it again"]
    return []


def _checkpoint_damage(folder: RunFolder) -> list[str]:
    """Check the sums of a checkpoint's parts; a damaged one only costs doing the epochs again."""
    path = folder.path / CHECKPOINT
    if not path.exists():
        return []
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
    except (*DAMAGE, zipfile.BadZipFile) as error:
        return [f"{folder.run_id}: {CHECKPOINT} is damaged: {describe_damage(error)}"]
    return [f"{folder.run_id}: {CHECKPOINT} is damaged at {broken}"] if broken else []


def differences(values: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Select the values that differ by name, one for each mapping ("-" where missing)."""
    names = dict.fromkeys(name for each in values for name in each)
    table = {name: [each.get(name, "-") for each in values] for name in names}
    return {name: texts for name, texts in table.items() if len(set(texts)) > 1}


def configuration(folder: RunFolder) -> dict[str, str]:
    """Read the request, fingerprints, versions of packages, and whether images are synthetic.

    Raises RunError if the manifest is damaged.
    """
    manifest = folder.manifest()
    request = folder.request().to_dict() | {"kind": manifest.get("kind", "split")}
    del request["format"]
    found = _flat("", request)
    for part in ("fingerprints", "packages"):
        found |= _flat(f"{part}: ", manifest.get(part, {}))
    return found | _flat("", {name: manifest.get(name) for name in ("synthetic", "python")})


def outcome(folder: RunFolder) -> dict[str, str]:
    """Read the result: groups and sizes of a split, or the last epoch of a search or training.

    Raises RunError if it is damaged.
    """
    if not isinstance(folder.request(), SplitRequest):
        if not (folder.path / RECORDS).exists():
            return {}
        last: dict[str, Any] = (folder.records() or [{}])[-1]
        values = {n: round(v, 4) if isinstance(v, float) else v for n, v in last.items()}
        return _flat("", {n: v for n, v in values.items() if n != "probabilities"})
    tree = folder.tree()
    if tree is None:
        return {}
    ties = sum(node.degenerate for node in tree.nodes)
    found = {"sizes": ", ".join(f"{leaf.size:,}" for leaf in tree.leaves), "ties": str(ties)}
    for number, node in enumerate(tree.nodes, start=1):
        decision = tree.leaves[0].space.decisions[node.edge]
        groups = " | ".join(map(decision.describe, node.groups))
        found[f"node {number}"] = f"{decision.name}: {groups}"
    return found


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(f"{prefix}{name}.", value)
        else:
            found[f"{prefix}{name}"] = _text(value)
    return found


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


NOTES = "notes.json"
"""Names, notes and tags that a user gives to runs, in one file beside the run folders.

They are no part of a run: its name in requests and URLs and its folder stay as they are, and a
demonstration run can have them, too.
"""


@dataclass(frozen=True)
class Notes:
    """What a user says of a run; a pinned run is listed first."""

    name: str = ""
    text: str = ""
    tags: tuple[str, ...] = ()
    pinned: bool = False


def read_notes(data_dir: Path) -> Mapping[str, Notes]:
    """Read the notes of all runs that have any; raises RunError if their file is damaged."""
    return _NOTES.read(runs_dir(data_dir) / NOTES)


def write_notes(notes: Mapping[str, Notes], data_dir: Path) -> None:
    """Replace the notes of some runs, by run; raises as ``read_notes``, and then changes nothing.

    Writing also changes the time of the folder of runs, so that open pages show the new ones.
    """
    with locked(runs_dir(data_dir)):
        changed = {**read_notes(data_dir), **notes}
        kept = {run_id: asdict(each) for run_id, each in changed.items() if each != Notes()}
        write_json(runs_dir(data_dir) / NOTES, kept)


def _read_notes(path: Path) -> Mapping[str, Notes]:
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


_NOTES = FileCache(_read_notes)

DAMAGED = "damaged"
_NO_NOTES = Notes()
_STOPPED = (State.FAILED, State.CANCELLED, State.LOST)


@dataclass(frozen=True)
class RunSummary:
    """Summary of a run; ``status`` is None where it or the request cannot be read.

    ``size`` is the bytes of its files, ``problem`` what is damaged, or None. A demo run came with
    the project. ``signature`` is that of its files, empty where they may change without a trace.
    ``kind`` is that of the request, and ``manifest`` the JSON text of it without the packages.
    """

    folder: RunFolder
    size: int
    status: Status | None = None
    problem: str | None = None
    notes: Notes = field(default_factory=Notes)
    demo: bool = False
    signature: str = ""
    kind: str | None = None
    manifest: str = field(default="", repr=False)

    @cached_property
    def request(self) -> Request | None:
        """What was asked, or None where that cannot be read; made when it is needed first."""
        if self.kind is not None:
            with suppress(FewshotError):
                return read_request(self.kind, json.loads(self.manifest)["request"])
        return None

    @property
    def run_id(self) -> str:
        """The run's name."""
        return self.folder.run_id

    @property
    def state(self) -> str:
        """Its state, or "damaged"."""
        if self.problem is not None or self.status is None:
            return DAMAGED
        return self.status.state.value

    @property
    def message(self) -> str:
        """What it is doing, why it ended, or what is damaged or missing."""
        missing = self.request.missing if self.request is not None else None
        return self.problem or missing or (self.status.message if self.status is not None else "")

    @property
    def seconds(self) -> float | None:
        """Working time of all its processes, or None where unknown."""
        return self.status.seconds if self.status is not None else None

    @property
    def active(self) -> bool:
        """Whether a process is, or will be, working on it."""
        return self.status is not None and self.status.state.active

    @property
    def restartable(self) -> bool:
        """Whether starting it again would change anything."""
        if self.request is None or self.request.missing is not None or self.active:
            return False
        return self.status is None or self.problem is not None or self.status.state in _STOPPED


def summarise(
    data_dir: Path, demo: Path | None = None, known: Mapping[str, RunSummary] | None = None
) -> list[RunSummary]:
    """Summarise every folder among the runs: unknown ones, then runs, the latest first.

    Demonstration runs of another folder come last. Runs are not read whose files are as in their
    ``known`` summary.
    """
    folders = {folder.run_id: folder for folder in list_folders(data_dir)}
    own = len(folders)
    for folder in list_runs(demo) if demo else ():
        folders.setdefault(folder.run_id, folder)
    notes: Mapping[str, Notes] = {}
    with suppress(RunError):  # the page of runs says so
        notes = read_notes(data_dir)
    found, known = [], known or {}
    for number, (run_id, folder) in enumerate(folders.items()):
        signature, run = folder.files_signature(), known.get(run_id)
        if run is None or run.signature != signature or run.folder != folder:
            run = _summary(folder, signature)
        given = (notes.get(run_id, _NO_NOTES), number >= own)
        if given != (run.notes, run.demo):
            run = replace(run, notes=given[0], demo=given[1])
        found.append(run)
    return found


def folder_size(path: Path) -> int:
    """Sum of the sizes of the files directly in a folder, in bytes."""
    size = 0
    with suppress(OSError), os.scandir(path) as entries:  # it may be deleted meanwhile
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                size += entry.stat(follow_symlinks=False).st_size
    return size


def _summary(folder: RunFolder, signature: str) -> RunSummary:
    status, kind, manifest, problem = None, None, "", reading_problem(folder)
    with suppress(FewshotError):  # it is damaged, or was deleted meanwhile
        kind, content = folder.request().kind, folder.manifest()
        manifest = json.dumps({n: content[n] for n in content if n not in ("packages", "python")})
        status = folder.status() if problem is None else None
    settled = False
    with suppress(OSError):
        settled = time.time() - folder.status_path.stat().st_mtime > SETTLED_SECONDS
    ended = status is not None and not status.state.active and status.state is not State.LOST
    kept = signature if settled and ended else ""
    size = folder_size(folder.path)
    return RunSummary(folder, size, status, problem, signature=kept, kind=kind, manifest=manifest)
