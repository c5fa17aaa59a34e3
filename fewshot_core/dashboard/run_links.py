"""Where a run is to be seen."""

from fewshot_core.dashboard.navigation import SEARCH, SPLIT, Page
from fewshot_core.dashboard.page import Workspace
from fewshot_core.runs import SplitRequest, State
from fewshot_core.runs.overview import RunSummary
from fewshot_core.search import SearchRequest
from fewshot_core.space import SubSpace


def page_of(workspace: Workspace, run: RunSummary) -> tuple[Page, dict[str, str]] | None:
    """Return the page that shows a run, with what brings it into view; None for a damaged one."""
    request, status = run.request, run.status
    if request is None or status is None:
        return None
    query = {"dataset": request.dataset}
    if isinstance(request, SplitRequest):
        if status.state is State.DONE and run.problem is None:
            query["split"] = run.run_id
        return SPLIT, query
    if isinstance(request, SearchRequest):
        family = request.family(run.folder.manifest().get("fingerprints", {}))
        query |= _place(workspace, request) | {"plan": family}
    return SEARCH, query


def _place(workspace: Workspace, request: SearchRequest) -> dict[str, str]:
    """Return what brings the sub-space of a search into view: a split that has it, or the whole."""
    if request.rows == tuple(SubSpace.full().rows):
        return {"where": "whole"}
    split = workspace.store.split_with(request.dataset, request.sub_space)
    return {} if split is None else {"split": split}
