"""Set before PyTorch is loaded: waiting threads sleep, as in the processes of runs."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
