"""What the commands of searches and trainings have in common."""

import time
from pathlib import Path
from typing import Annotated

import typer

from fewshot_core.cli_common import err
from fewshot_core.cli_progress import follow_to_end
from fewshot_core.runs import RunFolder, estimate_seconds, measure, start
from fewshot_core.search import PRESETS, SearchRequest, TrainingRequest

Preset = Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS.names())}.")]
Override = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE, another value for an option of the preset; repeat it."),
]
Images = Annotated[str | None, typer.Option(help="Images by name or path; or synthetic.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
FullPrecision = Annotated[
    bool, typer.Option("--full-precision", help="No bfloat16; only CUDA uses it otherwise.")
]
Compiled = Annotated[bool, typer.Option("--compile", help="Use torch.compile.")]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Only say what would be done and how long it takes.")
]


def expected_seconds(request: SearchRequest | TrainingRequest, place: Path) -> float:
    """Return how long a request takes, measuring a step where none was measured before."""
    seconds = estimate_seconds(place, request)
    if seconds is None:
        err.print("measuring a few steps", highlight=False)
        measure(place, request)
        seconds = estimate_seconds(place, request) or 0.0
    return seconds


def complete(request: SearchRequest | TrainingRequest, place: Path) -> RunFolder:
    """Do a run, or take it as it was done before; the command ends where it fails."""
    now = time.time()
    run = start(request, place)
    follow_to_end(run, err, now)
    return run
