"""What is inside sub-spaces: pure functions, DataFrames in and out, without torch."""

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
from fewshot_core.analysis.information import binary_entropy, information_gain
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
    "WHOLE",
    "architectures_of",
    "binary_entropy",
    "cumulative_frame",
    "default_limits",
    "density",
    "describe_sub_spaces",
    "distribution_frame",
    "histogram_frame",
    "information_gain",
    "quantile_frame",
    "sub_space_names",
    "sub_space_numbers",
    "top_architectures",
    "top_mask",
    "top_threshold",
]
