"""Figures: DataFrame in, Plotly figure out, with a text alternative in ``layout.meta["alt"]``."""

from fewshot_core.plots.cell import cell_figure
from fewshot_core.plots.distributions import STYLES, distributions_figure, top_figure
from fewshot_core.plots.scores import scores_figure, similarity_figure
from fewshot_core.plots.template import (
    DEGENERATE_COLOUR,
    OPERATION_COLOURS,
    OPERATION_GLYPHS,
    SUB_SPACE_COLOURS,
    TEMPLATE,
    alternative,
    empty_figure,
    sub_space_colour,
)
from fewshot_core.plots.tree import tree_figure
from fewshot_core.plots.tree_layout import TreeBranch, TreeDrawing

__all__ = [
    "DEGENERATE_COLOUR",
    "OPERATION_COLOURS",
    "OPERATION_GLYPHS",
    "STYLES",
    "SUB_SPACE_COLOURS",
    "TEMPLATE",
    "TreeBranch",
    "TreeDrawing",
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
