"""What a process that computes is told about its threads."""

from collections.abc import Mapping

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
