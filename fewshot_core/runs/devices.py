"""Devices to compute on, and the threads of a process."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

THREADS_ENVIRONMENT = {"GOMP_SPINCOUNT": "3000"}
"""Threads that wait for each other spin for some microseconds, then sleep.

Sleeping at once costs a third of the speed where nothing else runs, spinning for long, which is the
default, takes the very cores that the others need as soon as anything does.
"""


def with_threads(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with what is said about threads, unless it says so itself."""
    if "OMP_WAIT_POLICY" in environment:
        return dict(environment)
    return THREADS_ENVIRONMENT | dict(environment)


_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_QUESTION = (
    "import json, torch; "
    "print(json.dumps(['cuda'] * torch.cuda.is_available()"
    " + ['mps'] * torch.backends.mps.is_available()))"
)


@lru_cache(maxsize=1)
def available_devices() -> tuple[str, ...]:
    """Return the devices there are, the fastest first; ``"cpu"`` is always the last.

    PyTorch is asked in a process of its own, and only where the machine has a driver at all, so
    that a page need not wait for it. Where it cannot answer there is only the CPU.
    """
    if not _may_have_accelerator():
        return ("cpu",)
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _QUESTION],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return (*json.loads(answer.stdout), "cpu")
    except (subprocess.SubprocessError, OSError, ValueError):
        return ("cpu",)


def choose_device(name: str) -> str:
    """Return the device meant by a name, where ``"auto"`` is the fastest there is."""
    return available_devices()[0] if name == "auto" else name


def _may_have_accelerator() -> bool:
    return platform.system() == "Darwin" or any(Path(path).exists() for path in _DRIVERS)
