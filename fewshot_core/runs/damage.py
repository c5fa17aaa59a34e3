"""A thorough look for damage in a run's folder."""

import zipfile

import pyarrow as pa
import pyarrow.parquet as pq

from fewshot_core.errors import FewshotError
from fewshot_core.runs.aside import reading_problem
from fewshot_core.runs.folder import RunFolder
from fewshot_core.runs.request import SplitRequest
from fewshot_core.runs.status import State
from fewshot_core.search.layout import CHECKPOINT, TABLE


def find_damage(folder: RunFolder) -> list[str]:
    """Return what is wrong with a run folder, after reading all that can be read without PyTorch.

    A run that is not done may lack any of its results.
    """
    problem = reading_problem(folder)
    if problem is not None:
        return [problem]
    found = []
    request = folder.request()
    state = folder.status().state
    fingerprints = folder.manifest().get("fingerprints", {})
    name = request.run_id(fingerprints) if isinstance(fingerprints, dict) else ""
    if name != folder.run_id:
        found.append(
            f"{folder.run_id} holds what belongs into {name or 'another folder'}: it was renamed, "
            "or changed by hand"
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
    if not isinstance(request, SplitRequest):
        found += [*_table_damage(folder, state), *_checkpoint_damage(folder)]
    return found


def _table_damage(folder: RunFolder, state: State) -> list[str]:
    path = folder.path / TABLE
    if not path.exists():
        return [f"{folder.run_id}: {TABLE} is missing; start it again"] * (state is State.DONE)
    try:
        epochs = pq.read_table(path, columns=["epoch"])["epoch"].to_pylist()
    except (OSError, pa.ArrowException) as error:
        return [f"{folder.run_id}: {TABLE} cannot be read: {error}"]
    if epochs != [record["epoch"] for record in folder.records()]:
        return [f"{folder.run_id}: {TABLE} holds other epochs than the records; start it again"]
    return []


def _checkpoint_damage(folder: RunFolder) -> list[str]:
    """Check the sums of a checkpoint's parts; a damaged one only costs doing the epochs again."""
    path = folder.path / CHECKPOINT
    if not path.exists():
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (OSError, zipfile.BadZipFile, ValueError, EOFError) as error:
        return [f"{folder.run_id}: {CHECKPOINT} is damaged: {error}"]
    return [f"{folder.run_id}: {CHECKPOINT} is damaged at {broken}"] if broken else []
