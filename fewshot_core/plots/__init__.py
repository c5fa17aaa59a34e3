"""Figures: DataFrame in, Plotly figure out, with a text alternative in ``layout.meta["alt"]``.

Most take a ``title`` and a ``caption``: parts of the muted lines under the title.
"""

from fewshot_core.plots.comparison import (
    agreement_figure,
    gains_figure,
    informativeness_figure,
    keep_figure,
    top_map_figure,
)
from fewshot_core.plots.distributions import STYLES, cut_notes, distributions_figure, top_figure
from fewshot_core.plots.dots import dots_figure, dots_svg
from fewshot_core.plots.estimates import costs_figure, estimate_figure, ranking_figure
from fewshot_core.plots.export import (
    WIDTHS,
    convert_svg,
    figure_numbers,
    figure_source,
    has_source,
    paper_figure,
    paper_svg,
)
from fewshot_core.plots.halving import cursor_stops, proxy_figure, replay_figure, schedules_figure
from fewshot_core.plots.importance import decisions_figure, effects_figure, importance_figure
from fewshot_core.plots.operations import (
    cell_figure,
    node_cell_figure,
    scores_figure,
    similarity_figure,
)
from fewshot_core.plots.search import (
    EPOCH_MEASURES,
    epoch_measure,
    epochs_figure,
    probabilities_figure,
    search_curves_figure,
    search_panels_figure,
    shared_accuracy_figure,
)
from fewshot_core.plots.template import alternative
from fewshot_core.plots.tree import TreeBranch, TreeDrawing, tree_figure

__all__ = [
    "EPOCH_MEASURES",
    "STYLES",
    "WIDTHS",
    "TreeBranch",
    "TreeDrawing",
    "agreement_figure",
    "alternative",
    "cell_figure",
    "convert_svg",
    "costs_figure",
    "cursor_stops",
    "cut_notes",
    "decisions_figure",
    "distributions_figure",
    "dots_figure",
    "dots_svg",
    "effects_figure",
    "epoch_measure",
    "epochs_figure",
    "estimate_figure",
    "figure_numbers",
    "figure_source",
    "gains_figure",
    "has_source",
    "importance_figure",
    "informativeness_figure",
    "keep_figure",
    "node_cell_figure",
    "paper_figure",
    "paper_svg",
    "probabilities_figure",
    "proxy_figure",
    "ranking_figure",
    "replay_figure",
    "schedules_figure",
    "scores_figure",
    "search_curves_figure",
    "search_panels_figure",
    "shared_accuracy_figure",
    "similarity_figure",
    "top_figure",
    "top_map_figure",
    "tree_figure",
]
