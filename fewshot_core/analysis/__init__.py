"""Analysis of splits and search results: pure functions, DataFrames in and out, without torch.

An accuracy table has the columns architecture (index) and accuracy_mean (percent). It may be
incomplete; where it has no accuracy at all there is a ``TableError``. The sub-spaces of a split
(leaves) are in tree order and named S1, S2, ...; those whose information is computed cover every
architecture of the table once, or there is a ``SpaceError``. The top are the best of the known
architectures, as large a share of them as the threshold.
"""

from fewshot_core.analysis.agreement import (
    adjusted_rand_index,
    agreement,
    agreement_matrix,
    stability,
)
from fewshot_core.analysis.distributions import (
    DISTRIBUTION_FRAMES,
    default_limits,
    distribution_frame,
)
from fewshot_core.analysis.estimates import (
    CostLimit,
    CostReport,
    EstimateReport,
    SplitEstimate,
    hypervolume,
    join_cost,
    join_estimate,
    judge_estimate,
    judge_in_split,
    load_cost,
    report_costs,
)
from fewshot_core.analysis.importance import importance, operation_effects
from fewshot_core.analysis.informativeness import (
    CHANCE,
    KEEP_STRATEGIES,
    RANDOM_TREES,
    SplitEvaluator,
    SplitReport,
    conclusion,
    information_gain,
    keep_k,
    report_frame,
    report_split,
    seed_uncertainty,
)
from fewshot_core.analysis.results import (
    NO_SPLITTING,
    published_results,
    recorded_results,
    results_csv,
    results_latex,
    results_markdown,
    results_table,
)
from fewshot_core.analysis.search_epochs import (
    found_by_seed,
    mean_over_seeds,
    search_epochs,
    smooth,
)
from fewshot_core.analysis.sub_spaces import (
    architectures_of,
    describe_sub_spaces,
    top_architectures,
    top_mask,
    top_threshold,
)
from fewshot_core.analysis.trees import (
    CONFIDENCE,
    best_tree,
    branchings,
    random_trees,
    tree_shape,
    wilson_interval,
)
from fewshot_core.selection.strategies import on_front

__all__ = [
    "CHANCE",
    "CONFIDENCE",
    "DISTRIBUTION_FRAMES",
    "KEEP_STRATEGIES",
    "NO_SPLITTING",
    "RANDOM_TREES",
    "CostLimit",
    "CostReport",
    "EstimateReport",
    "SplitEstimate",
    "SplitEvaluator",
    "SplitReport",
    "adjusted_rand_index",
    "agreement",
    "agreement_matrix",
    "architectures_of",
    "best_tree",
    "branchings",
    "conclusion",
    "default_limits",
    "describe_sub_spaces",
    "distribution_frame",
    "found_by_seed",
    "hypervolume",
    "importance",
    "information_gain",
    "join_cost",
    "join_estimate",
    "judge_estimate",
    "judge_in_split",
    "keep_k",
    "load_cost",
    "mean_over_seeds",
    "on_front",
    "operation_effects",
    "published_results",
    "random_trees",
    "recorded_results",
    "report_costs",
    "report_frame",
    "report_split",
    "results_csv",
    "results_latex",
    "results_markdown",
    "results_table",
    "search_epochs",
    "seed_uncertainty",
    "smooth",
    "stability",
    "top_architectures",
    "top_mask",
    "top_threshold",
    "tree_shape",
    "wilson_interval",
]
