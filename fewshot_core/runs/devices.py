"""Devices to compute on, and the environment of processes that compute."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

COMPUTING_ENVIRONMENT = {"GOMP_SPINCOUNT": "3000", "MALLOC_ARENA_MAX": "1"}
"""Environment variables of processes that compute with PyTorch.

Threads that wait for each other spin for some microseconds, then sleep. Sleeping at once costs a
third of the speed on an idle machine; spinning for long, the default, occupies cores that other
processes need. All threads allocate memory from one arena: with one for each, memory that a thread
has freed is of no use to the others, and must be obtained from the system again.
"""


def computing_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Add ``COMPUTING_ENVIRONMENT`` to an environment, without changing what it has set."""
    settings = dict(COMPUTING_ENVIRONMENT)
    if "OMP_WAIT_POLICY" in environment:
        del settings["GOMP_SPINCOUNT"]
    return settings | dict(environment)


_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_LIST_DEVICES = (
    "import json, torch; "
    "print(json.dumps(['cuda'] * torch.cuda.is_available()"
    " + ['mps'] * torch.backends.mps.is_available()))"
)


@lru_cache(maxsize=1)
def available_devices() -> tuple[str, ...]:
    """List the available devices, the fastest first; ``"cpu"`` is always the last.

    PyTorch is loaded in another process, and only on a machine with a driver, so that pages do not
    wait for it. If that fails there is only the CPU.
    """
    if not _may_have_accelerator():
        return ("cpu",)
    try:
        listed = subprocess.run(
            [sys.executable, "-c", _LIST_DEVICES],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return (*json.loads(listed.stdout), "cpu")
    except (subprocess.SubprocessError, OSError, ValueError):
        return ("cpu",)


def choose_device(name: str) -> str:
    """Resolve a device name; ``"auto"`` is the fastest device."""
    return available_devices()[0] if name == "auto" else name


def _may_have_accelerator() -> bool:
    return platform.system() == "Darwin" or any(Path(path).exists() for path in _DRIVERS)
