"""The command line: ``fewshot`` or ``python -m fewshot_core``."""
