"""Settings of the tests. Those of PyTorch are set before it is loaded."""

import os

from hypothesis import settings

# Waiting threads sleep, as in the processes of runs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests see only what they make; those of the demonstration results name their folder.
os.environ.setdefault("FEWSHOT_DEMO_DIR", "")

# A busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
