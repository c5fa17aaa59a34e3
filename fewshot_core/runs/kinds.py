"""The kinds of runs there are. Adding one is a request class, a job and one record here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fewshot_core.errors import FewshotError, RunError
from fewshot_core.registry import Registry
from fewshot_core.runs.request import SplitRequest
from fewshot_core.search import SearchRequest, TrainingRequest

Request = SplitRequest | SearchRequest | TrainingRequest
"""What can be asked of a run.

Each has ``dataset``, ``device``, ``canonical()``, ``fingerprints(data_dir)``,
``run_id(fingerprints)`` and the class method ``from_dict``.
"""


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Attributes:
        name: Its name in manifests, and the first part of its runs' names.
        label: Its name in the app.
        request: The class of what is asked.
        job: ``"module:function"`` that does the work; called with the run's folder and the data
            folder, in a process of its own.
    """

    name: str
    label: str
    request: type[SplitRequest] | type[SearchRequest] | type[TrainingRequest]
    job: str


KINDS: Registry[Kind] = Registry("kind of run")
KINDS.add(Kind("split", "Split", SplitRequest, "fewshot_core.runs.split_job:run"))
KINDS.add(Kind("search", "Search", SearchRequest, "fewshot_core.runs.search_job:search"))
KINDS.add(Kind("train", "Training", TrainingRequest, "fewshot_core.runs.search_job:train"))


def kind_of(request: Request) -> Kind:
    """Return the kind of run that answers a request."""
    return next(kind for kind in KINDS if isinstance(request, kind.request))


def read_request(kind: str, document: Mapping[str, Any]) -> Request:
    """Read what the ``canonical`` of a request returns.

    Raises:
        RunError: If there is no such kind, or the document is damaged.
    """
    try:
        return KINDS.get(kind).request.from_dict(document)
    except FewshotError as error:
        raise RunError(f"the request cannot be used: {error}") from error
