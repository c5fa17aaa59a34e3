"""The core of the workbench for few-shot neural architecture search (NAS).

The packages, from the bottom up: ``space`` (architectures and sub-spaces), ``bench`` (accuracy
tables), ``images``, ``nets`` (the supernet), ``metrics``, ``splitting``, ``analysis``, ``runs``
(jobs and their folders), ``store`` (the cache), ``plots`` and ``dashboard``.
"""

__version__ = "0.2.0"
