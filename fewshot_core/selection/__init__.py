"""Which sub-supernet? Selection replayed on recorded curves (Section 4.3 of the paper).

Pure functions: a DataFrame of curves in, results out, without torch.
"""

from fewshot_core.selection.curves import Curves, comparable, curves_by_seed, leaders, read_frame
from fewshot_core.selection.halving import (
    PAPER_END,
    PAPER_MILESTONES,
    HalvingResult,
    Tie,
    describe_schedule,
    oracle,
    parse_milestones,
    proportional_schedule,
    random_sub_supernet,
    successive_halving,
    top_k,
    train_all,
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
from fewshot_core.selection.proxy import proxy_correlation, random_kendall_interval
from fewshot_core.selection.rankings import DEFAULT_WINDOW, RANKINGS
from fewshot_core.selection.recorded import RecordedCurves, recorded_curves, search_families
from fewshot_core.selection.strategies import (
    STRATEGIES,
    Choice,
    default_choices,
    describe_milestones,
    mark_of,
    paper_milestones,
    pareto_front,
    schedule_grid,
)
from fewshot_core.selection.verdict import cost_text, result_document, verdict

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
    "RecordedCurves",
    "Tie",
    "comparable",
    "cost_text",
    "curves_by_seed",
    "default_choices",
    "describe_curves",
    "describe_milestones",
    "describe_schedule",
    "imported_curves",
    "leaders",
    "mark_of",
    "open_curves",
    "oracle",
    "paper_milestones",
    "pareto_front",
    "parse_milestones",
    "proportional_schedule",
    "proxy_correlation",
    "random_kendall_interval",
    "random_sub_supernet",
    "read_curves",
    "read_frame",
    "recorded_curves",
    "remove_curves",
    "result_document",
    "schedule_grid",
    "search_families",
    "store_curves",
    "successive_halving",
    "top_k",
    "train_all",
    "verdict",
]
