"""Importing the package is cheap: torch comes only when something runs."""

import subprocess
import sys


def test_importing_the_package_does_not_load_torch():
    question = (
        "import sys, fewshot_core.search, fewshot_core.search.proxy, fewshot_core.runs"
        "; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", question]).returncode == 0
