"""Set before PyTorch is loaded: waiting threads sleep, as in the processes of runs."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Tests see only what they make; those of the demonstration results name their folder.
os.environ.setdefault("FEWSHOT_DEMO_DIR", "")
