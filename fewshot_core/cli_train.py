"""The command ``fewshot train``."""

from typing import Annotated

import typer

from fewshot_core.cli_common import AsJson, DataDir, Dataset, out, print_json
from fewshot_core.cli_search_parts import (
    Compiled,
    Device,
    Estimate,
    FullPrecision,
    Images,
    Override,
    Preset,
    complete,
    expected_seconds,
)
from fewshot_core.datafolder import data_dir
from fewshot_core.durations import duration_text
from fewshot_core.runs.devices import choose_device
from fewshot_core.search import PRESETS, TrainingRequest
from fewshot_core.search.layout import CHECKPOINT
from fewshot_core.search.overrides import override


def run_train(
    dataset: Dataset = "cifar10",
    preset: Preset = "quick",
    overrides: Override = None,
    seed: Annotated[int, typer.Option(help="Seed of the weights and of all draws.")] = 0,
    images: Images = None,
    device: Device = "auto",
    full_precision: FullPrecision = False,
    compiled: Compiled = False,
    estimate: Estimate = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Train the supernet of the whole space, so that splits and searches can use its weights."""
    place = data_dir(folder)
    request = TrainingRequest(
        dataset,
        override(PRESETS.get(preset).training, overrides or []),
        seed,
        images,
        choose_device(device),
        not full_precision,
        compiled,
    )
    if estimate:
        seconds = expected_seconds(request, place)
        if as_json:
            print_json({"seconds": seconds})
        else:
            out.print(f"about {duration_text(seconds)}", highlight=False)
        return
    run = complete(request, place)
    records = run.records()
    document = {
        "run_id": run.run_id,
        "folder": str(run.path),
        "checkpoint": str(run.path / CHECKPOINT),
        "epochs": records,
    }
    if as_json:
        print_json(document)
        return
    last = records[-1]
    held = last["valid_accuracy"]
    measured = "nothing held out" if held is None else f"validation accuracy {held:.2f}%"
    out.print(f"{run.run_id}: {len(records)} epochs, {measured}", highlight=False)
    out.print(f"weights: {document['checkpoint']}", markup=False, highlight=False)
