"""How long a search will take, from one measured step. Torch is loaded in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewshot_core.images import find_source
from fewshot_core.images.loading import open_reader
from fewshot_core.runs.devices import with_threads
from fewshot_core.search.options import SearchError, SearchOptions, TrainingOptions
from fewshot_core.search.requests import SearchRequest, TrainingRequest

_TIMEOUT = 600.0
_QUESTION = (
    "import sys; from fewshot_core.search.job import answer; "
    "sys.stdout.write(answer(sys.stdin.read()))"
)


@dataclass(frozen=True)
class Pace:
    """What was measured on this machine.

    Attributes:
        step: Seconds of a step: of the weights, and of the architecture in a search.
        evaluation: Seconds of evaluating a batch.
    """

    step: float
    evaluation: float

    def seconds(self, options: SearchOptions | TrainingOptions, available: int) -> float:
        """Return the seconds that all epochs take.

        Args:
            options: Hyperparameters.
            available: How many training images there are.
        """
        size = available if options.images is None else min(available, options.images)
        held_out = size - size // 2
        trained = size // 2
        if isinstance(options, TrainingOptions) and options.trained_on == "all":
            trained, held_out = size, 0
        steps, batches = -(-trained // options.batch_size), -(-held_out // options.batch_size)
        first = batches * self.evaluation if isinstance(options, SearchOptions) else 0.0
        return options.epochs * (steps * self.step + batches * self.evaluation) + first


def measure_pace(request: SearchRequest | TrainingRequest) -> Pace:
    """Do a few steps of what is asked for, on noise, in a process of its own.

    Raises:
        SearchError: If that process fails; the message ends with its last line.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _QUESTION],
            input=json.dumps(request.canonical()),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            env=with_threads(os.environ),
        )
    except subprocess.TimeoutExpired as error:
        raise SearchError(f"a step takes longer than {_TIMEOUT:g} seconds here") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SearchError(f"a step cannot be measured: {last[0]}")
    return Pace(**json.loads(done.stdout))


def read_request(document: Mapping[str, Any]) -> SearchRequest | TrainingRequest:
    """Read what ``canonical`` returns, of either kind.

    Raises:
        SearchError: If it is of another format or damaged.
    """
    if "algorithm" in document:
        return SearchRequest.from_dict(document)
    return TrainingRequest.from_dict(document)


def count_images(
    dataset: str, source: Path | str | None = None, data_dir: Path | str | None = None
) -> int:
    """Return how many training images a source has.

    Raises:
        ImagesError: If there are no such images.
    """
    return open_reader(find_source(dataset, source, data_dir), "train").count
