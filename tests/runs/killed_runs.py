"""Starts runs, kills their processes at random moments, and starts them again until they are done.

``python killed_runs.py DATA_DIR KILLS SECONDS SEED``, run by ``test_runs_recovery.py``. Prints what
was seen after each kill, as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import forks

from fewshot_core.runs import (
    Network,
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    TrainingRequest,
    start,
)
from fewshot_core.search import PRESETS
from fewshot_core.search.options import override
from fewshot_core.space import SubSpace

PATIENCE = 60.0

SMOKE = PRESETS.get("smoke")
SMALL = ("epochs=4", "images=48")


def requests():
    """Return one small request of each kind."""
    return {
        "split": SplitRequest(
            "cifar10", "gradnorm", images="synthetic", batch_size=8, network=Network(4, 2)
        ),
        "search": SearchRequest(
            "cifar10",
            "darts-1st",
            tuple(SubSpace.full().rows),
            override(SMOKE.search, SMALL),
            images="synthetic",
        ),
        "train": TrainingRequest("cifar10", override(SMOKE.training, SMALL), images="synthetic"),
    }


def finish(request, data_dir):
    """Start a run and wait for its end; return the seconds that took."""
    begin = time.monotonic()
    folder = start(request, data_dir)
    while folder.status().state.active:
        assert time.monotonic() - begin < PATIENCE, folder.log_tail()
        time.sleep(0.01)
    assert folder.status().state is State.DONE, folder.log_tail()
    return time.monotonic() - begin


def kill(request, data_dir, share, delay):
    """Start a run, kill its process a moment after a share of its steps; return what is there."""
    folder = start(request, data_dir)
    begin = time.monotonic()
    status = folder.status()
    while status.state.active and status.done < share * max(1, status.total):
        assert time.monotonic() - begin < PATIENCE, folder.log_tail()
        time.sleep(0.002)
        status = folder.status()
    time.sleep(delay)
    status = folder.status()
    if status.state.active:
        os.killpg(status.pid, signal.SIGKILL)
        while status.process_alive():
            time.sleep(0.002)
    return {"state": folder.status().state.value, **seen(folder, data_dir)}


def seen(folder: RunFolder, data_dir):
    """Return what is finished: epochs with the time they took, scores with when they were kept."""
    tree = folder.tree()
    return {
        "epochs": [[record["epoch"], record["seconds"]] for record in folder.records()],
        "scores": {
            path.name: path.stat().st_mtime_ns for path in (data_dir / "scores").rglob("*.json")
        },
        "nodes": 0 if tree is None else len(tree.nodes),
    }


def main(data_dir: Path, kills: int, seconds: float, seed: int) -> None:
    forks.use()
    draw = random.Random(seed)
    unbroken = data_dir / "unbroken"
    report = {}
    for name, request in requests().items():
        finish(request, unbroken)
        broken = data_dir / "broken" / name
        deadline = time.monotonic() + seconds
        after = []
        for number in range(kills):
            if time.monotonic() < deadline:
                share = (number + draw.uniform(-1, 1)) / kills
                after.append(kill(request, broken, share, draw.uniform(0, 0.1)))
        finish(request, broken)
        folder = start(request, broken)
        report[name] = {
            "run": folder.run_id,
            "kills": after,
            "end": seen(folder, broken),
        }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
