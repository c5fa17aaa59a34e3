"""Figures: DataFrame in, Plotly figure out, with a text alternative in ``layout.meta["alt"]``."""

from fewshot_core.plots.cell import cell_figure
from fewshot_core.plots.distributions import distributions_figure, top_figure
from fewshot_core.plots.scores import scores_figure, similarity_figure
from fewshot_core.plots.template import (
    DEGENERATE_COLOUR,
    OPERATION_COLOURS,
    SUB_SPACE_COLOURS,
    alternative,
    empty_figure,
    sub_space_colour,
)
from fewshot_core.plots.tree import TreeBox, tree_figure

__all__ = [
    "DEGENERATE_COLOUR",
    "OPERATION_COLOURS",
    "SUB_SPACE_COLOURS",
    "TreeBox",
    "alternative",
    "cell_figure",
    "distributions_figure",
    "empty_figure",
    "scores_figure",
    "similarity_figure",
    "sub_space_colour",
    "top_figure",
    "tree_figure",
]
