"""Finished searches in a data folder that no process has made."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fewshot_core.runs import RunFolder, SearchRequest, State, Status
from fewshot_core.search import PRESETS, EpochRecord
from fewshot_core.search.records import RECORDS, write_records
from fewshot_core.space import Architecture, SubSpace

EVEN = ((0.2,) * 5,) * 6


def keep_search(
    data_dir: Path,
    leaf: SubSpace,
    seed: int = 777,
    algorithm: str = "snas",
    preset: str = "smoke",
    epochs: int | None = None,
    dataset: str = "cifar10",
    synthetic: bool = True,
) -> RunFolder:
    """Store a finished search with generated accuracies; other epochs make other options."""
    options = PRESETS.get(preset).search
    options = options if epochs is None else replace(options, epochs=epochs)
    request = SearchRequest(
        dataset, algorithm, tuple(leaf.rows), options, seed, "synthetic" if synthetic else None
    )
    run = RunFolder(data_dir / "runs" / request.run_id({"images": str(synthetic)}))
    run.path.mkdir(parents=True)
    run.write_manifest(
        {
            "kind": "search",
            "request": request.to_dict(),
            "fingerprints": {"images": str(synthetic)},
            "synthetic": synthetic,
        }
    )
    generator = np.random.default_rng([seed, leaf.size])
    found = generator.choice(leaf.architecture_indices(), options.epochs + 1)
    records = [_record(epoch, int(index), generator) for epoch, index in enumerate(found)]
    write_records(run.path / RECORDS, [record.to_dict() for record in records])
    run.write_status(Status(State.DONE, updated=1_700_000_000.0))
    return run


def keep_searches(
    data_dir: Path, leaves: Sequence[SubSpace], seed: int = 777, **options: object
) -> list[RunFolder]:
    """Store a search of every sub-space of a split; options as for ``keep_search``."""
    return [keep_search(data_dir, leaf, seed, **options) for leaf in leaves]  # type: ignore[arg-type]


def _record(epoch: int, index: int, generator: np.random.Generator) -> EpochRecord:
    loss = None if epoch == 0 else 2.0 - epoch / 1000
    accuracy = float(generator.uniform(10, 12) + 70 * (1 - np.exp(-epoch)))
    return EpochRecord(
        epoch,
        loss,
        loss and accuracy,
        1.5,
        accuracy,
        Architecture.from_index(index).to_string(),
        index,
        EVEN,
        (2.3,) * 6,
        0.5,
        0.25,
    )
