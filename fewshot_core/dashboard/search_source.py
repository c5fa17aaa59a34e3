"""Where the numbers of searches come from, in parts for the line under a figure."""

from datetime import UTC, datetime

from fewshot_core.dashboard.search_plans import SearchPlan
from fewshot_core.search import ALGORITHMS, SearchRequest


def plan_source(plan: SearchPlan) -> list[str]:
    """Return where the searches of a plan come from."""
    request = plan.request
    seeds = ", ".join(map(str, plan.seeds))
    parts = [f"{len(plan.searches)} searches, seed{'s' * (len(plan.seeds) > 1)} {seeds}"]
    if plan.place.split is not None:
        parts.append(f"split {plan.place.split.label}")
    return parts + request_source(request, plan.synthetic) + _dates(plan)


def request_source(request: SearchRequest, synthetic: bool) -> list[str]:
    """Return how a search computes."""
    options = request.options
    count = "all" if options.images is None else f"{options.images:,}"
    cells = f"{options.cells_per_stage} cell{'s' * (options.cells_per_stage > 1)} per stage"
    weights = "fresh weights" if request.checkpoint is None else "inherited weights"
    return [
        ALGORITHMS.get(request.algorithm).label,
        f"{options.channels} channels, {cells}, {weights}",
        f"{count} {'made-up ' * synthetic}images ({request.images or 'the first real ones'})",
        f"batch size {options.batch_size}",
        "batch norm: batch",
        request.device,
    ]


def _dates(plan: SearchPlan) -> list[str]:
    """Return when the last of the searches that are done was done."""
    statuses = [search.status() for search in plan.searches]
    ends = [s.updated for s in statuses if s and s.updated and not s.state.active]
    if not ends:
        return []
    return [datetime.fromtimestamp(max(ends), UTC).strftime("%d %b %Y %H:%M UTC")]
