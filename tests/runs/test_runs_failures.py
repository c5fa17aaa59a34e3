import errno
import os

import pytest

from fewshot_core.errors import MetricError, RunError
from fewshot_core.runs import State
from fewshot_core.runs.jobs import advice, failure_message

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class OutOfMemoryError(RuntimeError):
    """Named as that of PyTorch."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MetricError("expected a batch"), "expected a batch"),
        (MemoryError(), "out of memory: choose a smaller batch or network"),
        (OutOfMemoryError("CUDA"), "out of memory: choose a smaller batch or network"),
        (PermissionError(13, "no"), "the system refused: [Errno 13] no; see the log"),
        (ZeroDivisionError("by 0"), "unexpected ZeroDivisionError: by 0; see the log"),
        (FULL, "the disk is full: make room, then start it again; what is finished is kept"),
        (
            OSError(errno.EDQUOT, "quota"),
            "the disk is full: make room, then start it again; what is finished is kept",
        ),
    ],
)
def test_a_failure_is_said_in_a_sentence(error, message):
    assert failure_message(error) == message


@pytest.mark.parametrize("said", [True, False])
def test_a_full_disk_behind_another_error_is_found(said):
    with pytest.raises(RunError) as raised:
        try:
            raise FULL
        except OSError as error:
            raise RunError("the table cannot be written") from (error if said else None)
    assert failure_message(raised.value).startswith("the disk is full")


def test_there_is_advice_for_what_did_not_end_well_and_only_that():
    told = {state for state in State if advice(state)}
    assert told == {State.FAILED, State.LOST, State.CANCELLED}
