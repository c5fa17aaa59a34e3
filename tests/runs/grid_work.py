"""Work for the workers of a test's cluster; they import it by name."""

import os
import time
from dataclasses import replace
from pathlib import Path

from fewshot_core.runs.cluster.driver import GridTask, Outcome, Sent, do
from fewshot_core.search import SearchError


def noted(task: GridTask, sent: Sent | None = None) -> Outcome | None:
    """Do a task, and write its name into a file when it is begun and when it has ended."""
    place = Path(task.data_dir).parent
    with (place / "begun").open("a") as file:
        file.write(f"{task.run_id}\n")
    time.sleep(0.3)
    outcome = do(task, sent)
    with (place / "ended").open("a") as file:
        file.write(f"{task.run_id}\n")
    return outcome


def deadly(task: GridTask, sent: Sent | None = None) -> Outcome | None:
    """End the worker's process for one metric; do the rest."""
    if getattr(task.request, "metric", None) == "random":
        os._exit(9)
    return do(task, sent)


def unsteady(task: GridTask, sent: Sent | None = None) -> Outcome | None:
    """Fail at first, for one metric always, and for one in a way that would come again."""
    place = Path(task.data_dir).parent
    with (place / "tries").open("a") as file:
        file.write(f"{task.request.metric}\n")
    tries = (place / "tries").read_text().splitlines().count(task.request.metric)
    if task.request.metric == "synflow":
        raise SearchError("it cannot be done")
    if task.request.metric == "random" or tries < 2:
        raise ZeroDivisionError("first try")
    return do(task, sent)


def hidden(task: GridTask, sent: Sent | None = None) -> Outcome | None:
    """Do a task on a machine that sees nothing of the driver's."""
    return do(replace(task, data_dir="/nowhere"), sent)
