"""Fills the disk in the middle of a search and of a split, and starts them again.

``python full_disk_runs.py DATA_DIR``, run by ``test_runs_recovery.py``; the folder is on a small
disk. Prints what was seen when the disk was full and in the end, as JSON.
"""

import json
import sys
import time
from pathlib import Path

import forks
from killed_runs import PATIENCE, finish, requests, seen

from fewshot_core.runs import start


def fill(path: Path) -> None:
    """Write until there is no room left."""
    for size in (65_536, 4_096, 1):
        try:
            with path.with_name(f"{path.name}-{size}").open("wb", buffering=0) as file:
                while file.write(b"\1" * size) == size:
                    pass
        except OSError:
            pass


def main(data_dir: Path) -> None:
    forks.use()
    report = {}
    for name, request in requests().items():
        folder = start(request, data_dir)
        begin = time.monotonic()
        while not (seen(folder, data_dir)["epochs"] or seen(folder, data_dir)["nodes"]):
            assert time.monotonic() - begin < PATIENCE, folder.log_tail()
            time.sleep(0.002)
        fill(data_dir / "filler")
        while folder.status().state.active:
            assert time.monotonic() - begin < PATIENCE, folder.log_tail()
            time.sleep(0.01)
        status = folder.status()
        full = {"state": status.state, "message": status.message, **seen(folder, data_dir)}
        for path in data_dir.glob("filler*"):
            path.unlink()
        finish(request, data_dir)
        report[name] = {"run": folder.run_id, "full": full, "end": seen(folder, data_dir)}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
