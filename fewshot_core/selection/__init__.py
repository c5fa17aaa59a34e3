"""Selection among sub-supernets, replayed on recorded curves (Section 4.3 of the paper).

Pure functions: a DataFrame of curves in, results out, without torch.
"""

from fewshot_core.selection.curves import (
    Curves,
    comparable,
    curves_by_seed,
    gaps_text,
    leaders,
    read_frame,
    recorded_curves,
    search_groups,
)
from fewshot_core.selection.halving import (
    HalvingResult,
    cost_text,
    regret_text,
    result_document,
    successive_halving,
    top_k,
    verdict,
)
from fewshot_core.selection.imported import (
    ImportedCurves,
    describe_curves,
    imported_curves,
    open_curves,
    read_curves,
    remove_curves,
    store_curves,
)
from fewshot_core.selection.rankings import (
    DEFAULT_WINDOW,
    RANKINGS,
    describe_proxy,
    proxy_correlation,
    random_kendall_interval,
)
from fewshot_core.selection.strategies import (
    PAPER_END,
    PAPER_MILESTONES,
    STRATEGIES,
    Choice,
    default_choices,
    describe_milestones,
    describe_schedule,
    paper_milestones,
    parse_milestones,
    schedule_grid,
)

__all__ = [
    "DEFAULT_WINDOW",
    "PAPER_END",
    "PAPER_MILESTONES",
    "RANKINGS",
    "STRATEGIES",
    "Choice",
    "Curves",
    "HalvingResult",
    "ImportedCurves",
    "comparable",
    "cost_text",
    "curves_by_seed",
    "default_choices",
    "describe_curves",
    "describe_milestones",
    "describe_proxy",
    "describe_schedule",
    "gaps_text",
    "imported_curves",
    "leaders",
    "open_curves",
    "paper_milestones",
    "parse_milestones",
    "proxy_correlation",
    "random_kendall_interval",
    "read_curves",
    "read_frame",
    "recorded_curves",
    "regret_text",
    "remove_curves",
    "result_document",
    "schedule_grid",
    "search_groups",
    "store_curves",
    "successive_halving",
    "top_k",
    "verdict",
]
