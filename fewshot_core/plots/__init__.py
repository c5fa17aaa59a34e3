"""Figures: DataFrame in, Plotly figure out, with a text alternative in ``layout.meta["alt"]``."""

from fewshot_core.plots.cell import cell_figure
from fewshot_core.plots.comparison import agreement_figure, keep_figure, top_map_figure
from fewshot_core.plots.distributions import STYLES, distributions_figure, top_figure
from fewshot_core.plots.halving import cursor_frames, cursor_stops, halving_figure, replay_figure
from fewshot_core.plots.informativeness import informativeness_figure
from fewshot_core.plots.schedules import proxy_figure, schedules_figure
from fewshot_core.plots.scores import scores_figure, similarity_figure
from fewshot_core.plots.search import (
    EPOCH_MEASURES,
    epochs_figure,
    search_curves_figure,
    shared_accuracy_figure,
)
from fewshot_core.plots.search_detail import probabilities_figure, search_panels_figure
from fewshot_core.plots.template import (
    DEGENERATE_COLOUR,
    OPERATION_COLOURS,
    OPERATION_GLYPHS,
    SUB_SPACE_COLOURS,
    TEMPLATE,
    alternative,
    cut_notes,
    empty_figure,
    sub_space_colour,
)
from fewshot_core.plots.tree import TreeBranch, TreeDrawing, tree_figure

__all__ = [
    "DEGENERATE_COLOUR",
    "EPOCH_MEASURES",
    "OPERATION_COLOURS",
    "OPERATION_GLYPHS",
    "STYLES",
    "SUB_SPACE_COLOURS",
    "TEMPLATE",
    "TreeBranch",
    "TreeDrawing",
    "agreement_figure",
    "alternative",
    "cell_figure",
    "cursor_frames",
    "cursor_stops",
    "cut_notes",
    "distributions_figure",
    "empty_figure",
    "epochs_figure",
    "halving_figure",
    "informativeness_figure",
    "keep_figure",
    "probabilities_figure",
    "proxy_figure",
    "replay_figure",
    "schedules_figure",
    "scores_figure",
    "search_curves_figure",
    "search_panels_figure",
    "shared_accuracy_figure",
    "similarity_figure",
    "sub_space_colour",
    "top_figure",
    "top_map_figure",
    "tree_figure",
]
