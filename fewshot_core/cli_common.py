"""What all commands share: where they print, and options that several of them have."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from fewshot_core.datafolder import ENVIRONMENT_NAME
from fewshot_core.datasets import DATASETS

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help=f"The data folder; otherwise ${ENVIRONMENT_NAME} or data/."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
Dataset = Annotated[str, typer.Option(help=f"One of {', '.join(DATASETS.names())}.")]


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
