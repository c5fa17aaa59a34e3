"""Figures: DataFrame in, Plotly figure out, with a text alternative in ``layout.meta["alt"]``."""

from fewshot_core.plots.cell import cell_figure
from fewshot_core.plots.comparison import (
    agreement_figure,
    keep_figure,
    top_map_figure,
)
from fewshot_core.plots.distributions import STYLES, distributions_figure, top_figure
from fewshot_core.plots.halving import halving_figure
from fewshot_core.plots.probabilities import probabilities_figure
from fewshot_core.plots.proxy import proxy_figure
from fewshot_core.plots.replay import cursor_frames, cursor_stops, replay_figure
from fewshot_core.plots.schedules import schedules_figure
from fewshot_core.plots.scores import scores_figure, similarity_figure
from fewshot_core.plots.search_curves import search_curves_figure
from fewshot_core.plots.search_epochs import EPOCH_MEASURES, epochs_figure
from fewshot_core.plots.search_panels import search_panels_figure
from fewshot_core.plots.shared_accuracy import shared_accuracy_figure
from fewshot_core.plots.standing import standing_figure
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
from fewshot_core.plots.texts import cut_notes
from fewshot_core.plots.tree import tree_figure
from fewshot_core.plots.tree_layout import TreeBranch, TreeDrawing

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
    "standing_figure",
    "sub_space_colour",
    "top_figure",
    "top_map_figure",
    "tree_figure",
]
