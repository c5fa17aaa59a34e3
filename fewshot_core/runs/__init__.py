"""Runs: what was asked, the folder it is kept in, and the process that does it."""

from fewshot_core.runs.commands import command, plan_command, split_command
from fewshot_core.runs.devices import available_devices
from fewshot_core.runs.estimate import estimate_seconds, measure
from fewshot_core.runs.folder import (
    RunFolder,
    State,
    Status,
    find_run,
    foreign_folders,
    list_runs,
    run_folder,
)
from fewshot_core.runs.jobs import answered, cancel, delete, is_active, start
from fewshot_core.runs.overview import reading_problem, set_aside
from fewshot_core.runs.requests import KINDS, Network, Request, SplitRequest

__all__ = [
    "KINDS",
    "Network",
    "Request",
    "RunFolder",
    "SplitRequest",
    "State",
    "Status",
    "answered",
    "available_devices",
    "cancel",
    "command",
    "delete",
    "estimate_seconds",
    "find_run",
    "foreign_folders",
    "is_active",
    "list_runs",
    "measure",
    "plan_command",
    "reading_problem",
    "run_folder",
    "set_aside",
    "split_command",
    "start",
]
