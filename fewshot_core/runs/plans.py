"""Several runs that belong together: all searches of a split, say.

Each is a process of its own that waits for its turn on the device; see ``fewshot_core.runs.queue``.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fewshot_core.runs.folder import RunFolder, runs_dir
from fewshot_core.runs.jobs import cancel, start
from fewshot_core.runs.status import State
from fewshot_core.search import SearchRequest


def planned_folders(
    requests: Iterable[SearchRequest], fingerprints: Mapping[str, str | None], data_dir: Path
) -> list[RunFolder]:
    """Return where the run of each search is or would be, in their order.

    Args:
        requests: Searches on the same images, with the same checkpoint.
        fingerprints: What ``fingerprints`` of any of them returns, or the manifest of its run.
        data_dir: The data folder.
    """
    return [RunFolder(runs_dir(data_dir) / each.run_id(fingerprints)) for each in requests]


def state_of(folder: RunFolder) -> State | None:
    """Return what a run is doing, or None where there is none.

    Raises:
        RunError: If its status is damaged.
    """
    return folder.status().state if folder.path.is_dir() else None


def start_all(requests: Iterable[SearchRequest], data_dir: Path) -> list[RunFolder]:
    """Start all runs that are not done and that no process is working on; raises as ``start``."""
    return [start(request, data_dir) for request in requests]


def cancel_all(folders: Sequence[RunFolder]) -> None:
    """Cancel all runs that go on, the last to have come first: none gets its turn meanwhile.

    Raises:
        RunError: As ``cancel``.
    """
    active = [folder for folder in folders if _is_active(folder)]
    for folder in sorted(active, key=_started, reverse=True):
        cancel(folder)


def _is_active(folder: RunFolder) -> bool:
    state = state_of(folder)
    return state is not None and state.active


def _started(folder: RunFolder) -> float:
    return folder.status().started or 0.0
