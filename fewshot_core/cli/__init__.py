"""The command line: ``fewshot`` or ``python -m fewshot_core``."""

from fewshot_core.cli.app import main

__all__ = ["main"]
