"""Some hundred damaged files are refused or read correctly; ``make fuzz`` reads more."""

import subprocess
import sys
from pathlib import Path

CASES = 240


def test_damaged_files_do_no_harm():
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), str(CASES)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, "\n".join(
        [
            *(line for line in lines if not line.startswith("CASE")),
            *lines[-1:],
            ended.stderr[-2000:],
        ]
    )
    assert lines[-1] == f"{CASES} cases, 0 failed"
