"""Folders among the runs that cannot be shown, or that no run has made; moving them away."""

from datetime import datetime
from pathlib import Path

from fewshot_core.datafolder import locked
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.runs.folder import RunFolder
from fewshot_core.runs.jobs import is_active

ASIDE = ".set-aside"


def reading_problem(folder: RunFolder) -> str | None:
    """Return why a folder cannot be shown as a run, or None: a quick look, without its result."""
    if not (folder.path / "manifest.json").exists():
        return f"{folder.run_id} is no run: it has no manifest.json"
    try:
        folder.request()
        folder.status()
    except FewshotError as error:
        return str(error)
    return None


def set_aside(folder: RunFolder) -> Path:
    """Move a run's folder out of the way, and return where it is now; nothing is deleted.

    Raises:
        RunError: If a process is working on it, or it is gone.
    """
    if is_active(folder):
        raise RunError(f"{folder.run_id} is running: cancel it before you set it aside")
    place = folder.path.parent / ASIDE
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    target = place / f"{folder.run_id}-{stamp}"
    with locked(folder.path.parent):
        place.mkdir(exist_ok=True)
        try:
            folder.path.rename(target)
        except FileNotFoundError as error:
            raise RunError(f"there is no run {folder.run_id!r} any more") from error
    return target
