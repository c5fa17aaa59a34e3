"""The distributions of one split among others: a small picture, and what it leaves out."""

from functools import lru_cache

import plotly.graph_objects as go

from fewshot_core.analysis import SplitJudge
from fewshot_core.dashboard.figures import kept
from fewshot_core.dashboard.loading import Leaves, describe, distributions
from fewshot_core.plots import cut_notes, distributions_figure


@kept
def draw_small(
    leaves: Leaves, judge: SplitJudge, axis_title: str, style: str, title: str
) -> go.Figure:
    """Return the picture of a split's distributions in a style."""
    frame = distributions(leaves, judge, style)
    described = describe(leaves, judge)
    return distributions_figure(frame, described, axis_title, style, title=title, compact=True)


@lru_cache(maxsize=256)
def small_notes(leaves: Leaves, judge: SplitJudge, style: str) -> str:
    """Return what the picture does not show, in words."""
    return " · ".join(cut_notes(distributions(leaves, judge, style), describe(leaves, judge)))
