"""Clusters to compute a grid on. Dask is imported only when one is opened."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fewshot_core.errors import RunError
from fewshot_core.runs.jobs import COMPUTING_ENVIRONMENT

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
SLURM = "slurm"

ATTEMPTS = 3
"""Attempts before a task is reported as failed."""

LOST_SECONDS = 120.0
"""After how long a dead worker counts as lost; a busy machine may restart it late."""

LOOK_SECONDS = 10.0
"""How often lost workers are restarted."""

_NEVER = 1e9
"""When a worker of SLURM counts as lost: not before its job has ended."""

_ENVIRONMENT = COMPUTING_ENVIRONMENT | {"DASK_LOGGING__DISTRIBUTED": "error"}


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
    cluster, look = _local(options) if options.kind == LOCAL else _slurm(options)
    with cluster, Client(cluster) as client, _repeating(look, client.close):
        yield client


@contextmanager
def _repeating(work: Callable[[], object], stop_waiting: Callable[[], object]) -> Iterator[None]:
    """Repeat something in a thread meanwhile; its RunError ends the waiting, and is raised."""
    ended = threading.Event()
    errors: list[RunError] = []

    def repeat() -> None:
        try:
            while not ended.wait(LOOK_SECONDS):
                work()
        except RunError as error:
            errors.append(error)
            stop_waiting()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    except RunError as error:
        raise (errors[0] if errors else error) from None
    finally:
        ended.set()
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


def _configure(lost_seconds: float) -> None:
    import dask

    # A worker gets a task only when it is idle, so that its death costs one task.
    settings = {
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
        "distributed.deploy.lost-worker-timeout": lost_seconds,
        "distributed.nanny.pre-spawn-environ": COMPUTING_ENVIRONMENT,
        "logging.distributed": "error",
    }
    dask.config.set(settings)


def _local(options: ClusterOptions) -> Started:
    """Start a cluster of processes on this machine, on the loopback address only."""
    import distributed

    _configure(LOST_SECONDS)
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
    jobs = _Jobs(_slurm_cluster(options), options.workers or 1)
    try:
        jobs.look()
    except BaseException:
        jobs.cluster.close()
        raise
    return jobs.cluster, jobs.look


@dataclass
class _Jobs:
    """Jobs of a cluster, kept at a number. SLURM says which of them are still there."""

    cluster: Any
    number: int
    connected: set[str] = field(default_factory=set)
    submitted: int = 0
    rounds_in_vain: int = 0
    said: str = ""

    def look(self) -> None:
        """Submit jobs for those that have ended.

        Raises:
            RunError: If the first jobs are refused, or if jobs end ``ATTEMPTS`` times in a row
                before their workers connect.
        """
        self.cluster.sync(self._look)

    async def _look(self) -> None:
        first = not self.cluster.worker_spec
        names = {worker["name"] for worker in self.cluster.scheduler_info["workers"].values()}
        for name, spec in self.cluster.worker_spec.items():
            if names & {f"{name}{suffix}" for suffix in spec.get("group", [""])}:
                self.connected.add(name)
        try:
            if not first:
                await self._remove_ended()
            while len(self.cluster.worker_spec) < self.number:
                await self._submit()
        except _Refused as error:
            if first and not self.cluster.workers:
                raise RunError(f"SLURM accepts no job: {error}") from None
            self._say(f"{error}; trying again every {LOOK_SECONDS:.0f} s")

    async def _submit(self) -> None:
        self.submitted += 1
        name = f"fewshot-{self.submitted}"
        self.cluster.worker_spec[name] = self.cluster.new_spec
        try:
            await self.cluster
        except (RuntimeError, OSError, ValueError) as error:
            self._forget(name, "failed")
            words = str(error).rpartition("stderr:")[2].split()
            raise _Refused(" ".join(words)) from None

    async def _remove_ended(self) -> None:
        jobs = {str(job.job_id): name for name, job in self.cluster.workers.items()}
        lines = (await _ask("squeue", "--me", "--noheader", "--format=%i|%T|%r")).splitlines()
        queue = {number: state for number, *state in (line.split("|") for line in lines)}
        ended = jobs.keys() - queue
        in_vain = sorted(number for number in ended if jobs[number] not in self.connected)
        for number in ended:
            self._forget(jobs[number], "closed")
        alive = self.connected.intersection(self.cluster.workers)
        self.rounds_in_vain = 0 if alive else self.rounds_in_vain + bool(in_vain)
        if in_vain:
            text = f"job {in_vain[0]} ended before its worker connected: {await _end(in_vain[0])}"
            if self.rounds_in_vain == ATTEMPTS:
                raise RunError(f"{ATTEMPTS} times in a row, {text}")
        else:
            states = [queue[number] for number in jobs.keys() & queue]
            waiting = {reason for state, reason in states if state == "PENDING"} - {"None"}
            text = f"jobs are pending: {', '.join(sorted(waiting))}" if waiting else ""
        self._say(text)

    def _forget(self, name: str, status: str) -> None:
        from distributed import Status

        del self.cluster.worker_spec[name]
        self.cluster.workers.pop(name).status = Status[status]

    def _say(self, text: str) -> None:
        if text and text != self.said:
            print(f"SLURM: {text}", file=sys.stderr)
        self.said = text


class _Refused(Exception):
    """A command of SLURM failed, with its words."""


async def _ask(*command: str) -> str:
    """Output of a command of SLURM."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    output, error = await process.communicate()
    if process.returncode:
        raise _Refused(" ".join(error.decode(errors="replace").split()))
    return output.decode(errors="replace")


async def _end(number: str) -> str:
    """How a job has ended, and where its output is."""
    try:
        text = await _ask("scontrol", "show", "job", number)
    except _Refused as error:
        return str(error)
    fields = dict(word.partition("=")[::2] for word in text.split())
    names = ("JobState", "Reason", "ExitCode", "StdOut")
    return ", ".join(f"{name} {fields.get(name)}" for name in names)


def _slurm_cluster(options: ClusterOptions) -> Any:
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue import SLURMCluster  # type: ignore[attr-defined]
    except ImportError as error:
        raise RunError(
            "a SLURM cluster needs dask-jobqueue: pip install 'fewshot-workbench[slurm]'"
        ) from error
    finally:  # dask_jobqueue has SIGINT end the process
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)
    _configure(_NEVER)
    given = {"processes": 1, "cores": 1, "memory": "8GB", **options.slurm}
    given.setdefault("scheduler_options", {"dashboard_address": ":0"})
    try:
        threads = str(options.threads or int(given["cores"]))
        variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        exports = [
            f"export {name}={value}" for name, value in (COMPUTING_ENVIRONMENT | variables).items()
        ]
        given["job_script_prologue"] = [*exports, *given.get("job_script_prologue", [])]
        # One task at a time in each worker, however many cores it has.
        given["worker_extra_args"] = [*given.get("worker_extra_args", []), "--nthreads", "1"]
        return SLURMCluster(**given)
    except (TypeError, ValueError) as error:
        raise RunError(f"[cluster.slurm] is refused: {error}") from error
