"""Processes of runs as forks of one that has loaded PyTorch, which takes longer than most runs.

``use()`` has ``fewshot_core.runs.jobs`` start runs this way; other programs than a worker of this
Python are started as always. Run as a script, this file is the process that forks.
"""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Lock
from types import SimpleNamespace

import psutil

NEEDED = (
    "torch",
    "torch._dynamo",  # needed by optimisers
    "pyarrow.parquet",
    "fewshot_core.runs.search_job",
    "fewshot_core.runs.split_job",
)
"""Modules that runs load."""

PYTHON = sys.executable
_LOCK = Lock()
_SERVERS = []


class Fork:
    """Does what ``subprocess.Popen`` does for a worker."""

    def __init__(self, folder, log, env):
        receiver, sender = os.pipe()
        with _LOCK:
            if not _SERVERS:
                _SERVERS.append(_start_server())
            _, server = _SERVERS[0]
            message = json.dumps([folder, str(Path.cwd()), env]).encode()
            socket.send_fds(server, [message], [receiver, log.fileno()])
            self.pid = int(server.recv(100))
        os.close(receiver)
        self.stdin = os.fdopen(sender, "wb")

    def poll(self):
        """Return None as long as the process exists; its parent reaps it."""
        return None if psutil.pid_exists(self.pid) else 0


def _start_server():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        process = subprocess.Popen(
            [PYTHON, __file__, str(number)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[number],
        )
    return process, ours


def _popen(command, **options):
    if command[:3] == [PYTHON, "-m", "fewshot_core.runs.worker"]:
        return Fork(command[3], options["stdout"], options["env"])
    return subprocess.Popen(command, **options)


def use():
    """Start runs as forks from now on; only where forks of loaded libraries are safe."""
    from fewshot_core.runs import jobs

    if sys.platform == "linux":
        jobs.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": _popen})


def serve(connection):
    """Fork a worker for each message until the process of the tests ends."""
    for name in NEEDED:
        importlib.import_module(name)
    from fewshot_core.runs import worker

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps those that have ended
    while True:
        message, files, *_ = socket.recv_fds(connection, 1 << 20, 2)
        if not message:
            return
        ready, leading = os.pipe()
        pid = os.fork()
        if pid == 0:
            connection.close()
            os.setsid()
            os.close(leading)
            _work(worker, *json.loads(message), *files)
        os.close(leading)
        os.read(ready, 1)  # until it leads a group of its own, which may be killed at once
        os.close(ready)
        for file in files:
            os.close(file)
        connection.send(str(pid).encode())


def _work(worker, folder, place, env, stdin, log):
    import torch

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.nice(worker.NICENESS)
    for number, file in enumerate((stdin, log, log)):
        os.dup2(file, number)
    os.chdir(place)
    os.environ.clear()
    os.environ.update(env)
    torch.set_num_threads(int(env.get("OMP_NUM_THREADS", os.cpu_count())))
    code = 1
    try:
        code = worker.main(Path(folder))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
