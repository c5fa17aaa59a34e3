"""Set before PyTorch is loaded: waiting threads sleep, as in the processes of runs."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests see only what they make; those of the demonstration results name their folder.
os.environ.setdefault("FEWSHOT_DEMO_DIR", "")
