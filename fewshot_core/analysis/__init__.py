"""What is inside sub-spaces: pure functions, DataFrames in and out, without torch."""

from fewshot_core.analysis.density import density, distribution_frame
from fewshot_core.analysis.information import binary_entropy, information_gain
from fewshot_core.analysis.sub_spaces import (
    architectures_of,
    describe_sub_spaces,
    sub_space_names,
    sub_space_numbers,
)
from fewshot_core.analysis.top import top_mask, top_threshold

__all__ = [
    "architectures_of",
    "binary_entropy",
    "density",
    "describe_sub_spaces",
    "distribution_frame",
    "information_gain",
    "sub_space_names",
    "sub_space_numbers",
    "top_mask",
    "top_threshold",
]
