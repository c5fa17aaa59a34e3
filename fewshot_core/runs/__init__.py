"""Runs: requests, run folders, and the processes that do the work."""

from fewshot_core.runs.commands import command, in_data_folder, plan_command, split_command
from fewshot_core.runs.estimate import estimate_seconds, measure
from fewshot_core.runs.folder import (
    RunFolder,
    State,
    Status,
    find_run,
    list_folders,
    list_runs,
    run_folder,
)
from fewshot_core.runs.jobs import (
    available_devices,
    cancel,
    delete,
    find_finished,
    is_active,
    start,
)
from fewshot_core.runs.overview import quarantine, reading_problem
from fewshot_core.runs.requests import (
    KINDS,
    EstimateRequest,
    Network,
    ProxyRequest,
    Request,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
    plan,
)

__all__ = [
    "KINDS",
    "EstimateRequest",
    "Network",
    "ProxyRequest",
    "Request",
    "RunFolder",
    "SearchRequest",
    "SplitRequest",
    "State",
    "Status",
    "TrainingRequest",
    "available_devices",
    "cancel",
    "command",
    "delete",
    "estimate_seconds",
    "find_finished",
    "find_run",
    "in_data_folder",
    "is_active",
    "list_folders",
    "list_runs",
    "measure",
    "plan",
    "plan_command",
    "quarantine",
    "reading_problem",
    "run_folder",
    "split_command",
    "start",
]
