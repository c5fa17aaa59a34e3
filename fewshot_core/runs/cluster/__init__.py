"""A grid of splits and searches on a cluster, from one file; see ``docs/cluster.md``."""

from fewshot_core.runs.cluster.clusters import ClusterOptions, job_script, open_client
from fewshot_core.runs.cluster.config import Grid, read_grid
from fewshot_core.runs.cluster.driver import GridReport, finished_before, run_grid
from fewshot_core.runs.cluster.tasks import GridTask

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
