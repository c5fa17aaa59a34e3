"""Clusters to compute a grid on. Dask is imported only when one is opened."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from fewshot_core.errors import RunError
from fewshot_core.runs.devices import THREADS_ENVIRONMENT

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
SLURM = "slurm"

ATTEMPTS = 3
"""Attempts before a task is reported as failed."""

LOST_SECONDS = 120.0
"""After how long a dead worker counts as lost; a busy machine may restart it late."""

LOOK_SECONDS = 30.0
"""How often lost workers are restarted."""

_ENVIRONMENT = THREADS_ENVIRONMENT | {"DASK_LOGGING__DISTRIBUTED": "error"}


@dataclass(frozen=True)
class ClusterOptions:
    """Where a grid is computed; raises RunError for an unknown kind or a number out of range.

    The kind is ``"local"``, ``"slurm"``, or the address of a running scheduler
    ("tcp://host:8786"). Workers are processes on this machine, by default one for each GPU, or
    SLURM jobs; each has some threads of PyTorch, by default an equal share of the cores. ``slurm``
    is what ``dask_jobqueue.SLURMCluster`` is made with: queue, cores, memory, walltime.
    """

    kind: str = LOCAL
    workers: int | None = None
    threads: int | None = None
    slurm: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in (LOCAL, SLURM) and "://" not in self.kind:
            raise RunError(
                f"expected the cluster to be {LOCAL!r}, {SLURM!r} or an address like "
                f"'tcp://host:8786', got {self.kind!r}"
            )
        for name in ("workers", "threads"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= 100_000:
                raise RunError(f"expected {name} of at least 1, got {value}")

    def changed(self, kind: str | None, workers: int | None) -> ClusterOptions:
        """Copy with the values of a command line."""
        options = self if kind is None else replace(self, kind=kind)
        return options if workers is None else replace(options, workers=workers)


@contextmanager
def open_client(options: ClusterOptions) -> Iterator[Client]:
    """Yield a client of a cluster, which is started and stopped as needed; may raise RunError."""
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.ERROR)
    if options.kind not in (LOCAL, SLURM):
        try:
            client = Client(options.kind, timeout=30)
        except (OSError, ValueError) as error:
            raise RunError(f"no scheduler answers at {options.kind}: {error}") from error
        with client:
            yield client
        return
    cluster, again = _local(options) if options.kind == LOCAL else _slurm(options)
    with cluster, Client(cluster) as client, _repeating(again):
        yield client


@contextmanager
def _repeating(work: Callable[[], object]) -> Iterator[None]:
    """Repeat something in a thread meanwhile."""
    stop = Event()

    def repeat() -> None:
        while not stop.wait(LOOK_SECONDS):
            work()

    thread = Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def job_script(options: ClusterOptions) -> str:
    """The script submitted to SLURM for each job; raises RunError without dask-jobqueue."""
    with _slurm_cluster(options) as cluster:
        return str(cluster.job_script())


def gpus() -> list[str]:
    """The GPUs of this machine, as for ``CUDA_VISIBLE_DEVICES``."""
    import torch

    if not torch.cuda.is_available():
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return visible.split(",")
    return [str(number) for number in range(torch.cuda.device_count())]


def worker_environments(options: ClusterOptions) -> list[dict[str, str]]:
    """Environments of the workers on this machine, with one GPU each where there are any."""
    found = gpus()
    count = options.workers or len(found) or 1
    cores = os.cpu_count() or 1
    threads = options.threads or max(1, cores // count)
    shared = _ENVIRONMENT | {"OMP_NUM_THREADS": str(threads)}
    return [
        shared | ({"CUDA_VISIBLE_DEVICES": found[number % len(found)]} if found else {})
        for number in range(count)
    ]


Started = tuple[Any, Callable[[], object]]
"""A cluster, and what restarts its lost workers."""


def _local(options: ClusterOptions) -> Started:
    """Start a cluster of processes on this machine, on the loopback address only."""
    import dask
    import distributed

    # A worker gets a task only when it is idle, so that its death costs one task.
    settings = {
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
        "distributed.deploy.lost-worker-timeout": LOST_SECONDS,
        "distributed.nanny.pre-spawn-environ": {},
        "logging.distributed": "error",
    }
    dask.config.set(settings)
    workers = {
        number: {
            "cls": distributed.Nanny,
            "options": {
                "nthreads": 1,
                "env": environment,
                "host": "127.0.0.1",
                "silence_logs": logging.ERROR,
            },
        }
        for number, environment in enumerate(worker_environments(options))
    }
    scheduler = {
        "cls": distributed.Scheduler,
        "options": {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"},
    }
    cluster = distributed.SpecCluster(workers=workers, scheduler=scheduler, name="fewshot")
    return cluster, partial(cluster.scale, len(workers))


def _slurm(options: ClusterOptions) -> Started:
    """Start a cluster of SLURM jobs; jobs that ended, by their time limit say, are resubmitted."""
    cluster = _slurm_cluster(options)
    again = partial(cluster.scale, jobs=options.workers or 1)
    again()
    return cluster, again


def _slurm_cluster(options: ClusterOptions) -> Any:
    try:
        from dask_jobqueue import SLURMCluster  # type: ignore[attr-defined]
    except ImportError as error:
        raise RunError(
            "a SLURM cluster needs dask-jobqueue: pip install 'fewshot-workbench[slurm]'"
        ) from error
    given = {"processes": 1, "cores": 1, "memory": "8GB", **options.slurm}
    given.setdefault("scheduler_options", {"dashboard_address": ":0"})
    threads = options.threads or int(given["cores"])
    exports = [f"export {name}={value}" for name, value in _ENVIRONMENT.items()]
    prologue = [*exports, f"export OMP_NUM_THREADS={threads}"]
    given["job_script_prologue"] = [*prologue, *given.get("job_script_prologue", [])]
    # One task at a time in each worker, however many cores it has.
    given["worker_extra_args"] = [*given.get("worker_extra_args", []), "--nthreads", "1"]
    try:
        return SLURMCluster(**given)
    except (TypeError, ValueError) as error:
        raise RunError(f"[cluster.slurm] is refused: {error}") from error
