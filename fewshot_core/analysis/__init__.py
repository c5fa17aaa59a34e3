"""What is inside sub-spaces: pure functions, DataFrames in and out, without torch."""

from fewshot_core.analysis.agreement import (
    adjusted_rand_index,
    agreement,
    agreement_matrix,
    node_agreement,
)
from fewshot_core.analysis.best_tree import BestTree, best_tree
from fewshot_core.analysis.concentration import gini
from fewshot_core.analysis.conclusion import conclusion
from fewshot_core.analysis.counts import CountTable, count_table
from fewshot_core.analysis.density import density
from fewshot_core.analysis.distributions import (
    DISTRIBUTION_FRAMES,
    WHOLE,
    cumulative_frame,
    default_limits,
    distribution_frame,
    histogram_frame,
    quantile_frame,
)
from fewshot_core.analysis.entropy import binary_entropy
from fewshot_core.analysis.information import information_gain
from fewshot_core.analysis.intervals import wilson_interval
from fewshot_core.analysis.judging import (
    RANDOM_TREES,
    Chance,
    SplitJudge,
    SplitReport,
    Standing,
    report_frame,
    split_report,
)
from fewshot_core.analysis.keeping import KEEP_STRATEGIES, keep_k
from fewshot_core.analysis.published_results import NO_SPLITTING, published_results
from fewshot_core.analysis.random_trees import Percentile, random_percentile, random_trees
from fewshot_core.analysis.recorded_results import recorded_results
from fewshot_core.analysis.results import PAPER_SEEDS, results_table
from fewshot_core.analysis.results_export import results_csv, results_latex, results_markdown
from fewshot_core.analysis.search_epochs import mean_over_seeds, search_epochs
from fewshot_core.analysis.seeds import (
    resampled_tables,
    seed_keep_k,
    seed_tables,
    seed_uncertainty,
    seed_values,
    top_frequency,
)
from fewshot_core.analysis.shape import Branching, branchings, tree_shape
from fewshot_core.analysis.sub_spaces import (
    architectures_of,
    describe_sub_spaces,
    sub_space_names,
    sub_space_numbers,
    top_architectures,
)
from fewshot_core.analysis.top import top_mask, top_threshold

__all__ = [
    "DISTRIBUTION_FRAMES",
    "KEEP_STRATEGIES",
    "NO_SPLITTING",
    "PAPER_SEEDS",
    "RANDOM_TREES",
    "WHOLE",
    "BestTree",
    "Branching",
    "Chance",
    "CountTable",
    "Percentile",
    "SplitJudge",
    "SplitReport",
    "Standing",
    "adjusted_rand_index",
    "agreement",
    "agreement_matrix",
    "architectures_of",
    "best_tree",
    "binary_entropy",
    "branchings",
    "conclusion",
    "count_table",
    "cumulative_frame",
    "default_limits",
    "density",
    "describe_sub_spaces",
    "distribution_frame",
    "gini",
    "histogram_frame",
    "information_gain",
    "keep_k",
    "mean_over_seeds",
    "node_agreement",
    "published_results",
    "quantile_frame",
    "random_percentile",
    "random_trees",
    "recorded_results",
    "report_frame",
    "resampled_tables",
    "results_csv",
    "results_latex",
    "results_markdown",
    "results_table",
    "search_epochs",
    "seed_keep_k",
    "seed_tables",
    "seed_uncertainty",
    "seed_values",
    "split_report",
    "sub_space_names",
    "sub_space_numbers",
    "top_architectures",
    "top_frequency",
    "top_mask",
    "top_threshold",
    "tree_shape",
    "wilson_interval",
]
