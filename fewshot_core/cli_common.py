"""What all commands share: where they print, and options that several of them have."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from fewshot_core.bench import resolve_table
from fewshot_core.datafolder import ENVIRONMENT_NAME
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError

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


def preferred_accuracy(
    dataset: str, kind: str | None, table: str | None, place: Path
) -> tuple[str, str]:
    """Return a kind of accuracy and a table that has it: test accuracies where there are any.

    Args:
        dataset: The data set.
        kind: The kind that is wanted, or None.
        table: The table that is wanted, or None.
        place: The data folder.

    Raises:
        FewshotError: If no table has it.
    """
    if kind is not None:
        return kind, resolve_table(dataset, kind, table, place).name
    try:
        return "test", resolve_table(dataset, "test", table, place).name
    except FewshotError:
        return "validation", resolve_table(dataset, "validation", table, place).name
