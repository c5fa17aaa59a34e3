"""A grid of splits and searches on a cluster, from one file; see ``docs/cluster.md``."""

from fewshot_core.runs.grid.clusters import ClusterOptions, job_script, open_client
from fewshot_core.runs.grid.config import Grid, read_grid
from fewshot_core.runs.grid.driver import GridReport, finished_before, run_grid
from fewshot_core.runs.grid.tasks import GridTask

__all__ = [
    "ClusterOptions",
    "Grid",
    "GridReport",
    "GridTask",
    "finished_before",
    "job_script",
    "open_client",
    "read_grid",
    "run_grid",
]
