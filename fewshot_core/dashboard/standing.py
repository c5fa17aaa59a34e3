"""Splits between chance and the best tree, on a page."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from fewshot_core.analysis import SplitJudge, tree_shape
from fewshot_core.dashboard.figures import accuracy_source, kept, show_figure, show_source
from fewshot_core.dashboard.loading import Named, reports
from fewshot_core.dashboard.splits import SplitInView
from fewshot_core.dashboard.views import View
from fewshot_core.plots import standing_figure


def one_of_each(labels: Mapping[str, str]) -> list[str]:
    """Return the first split of each metric, by their keys, of splits with their labels."""
    first: dict[str, str] = {}
    for key, label in labels.items():
        first.setdefault(label.partition(" · ")[0], key)
    return list(first.values())


def show_standing(view: View, judge: SplitJudge, splits: Sequence[SplitInView], key: str) -> None:
    """Draw splits between chance and the best tree of the shape that most of them have."""
    source = tuple(accuracy_source(view)[:2])
    show_figure(_draw(named(splits), judge, source, view.top_label), key)


def show_splits_source(view: View, splits: Sequence[SplitInView], key: str) -> None:
    """Write the muted line under a figure of several splits."""
    runs = [split.key for split in splits if split.request is not None]
    commands = [
        f"fewshot analyse --run {run} --accuracy {view.kind} --threshold {view.threshold:g}"
        + (f" --table {view.table.name}" if view.table else "")
        for run in runs
    ]
    show_source(
        [*accuracy_source(view), f"{len(splits)} splits", "10,000 random trees, seed 0"],
        "\n".join(commands) or "fewshot doctor",
        key,
    )


def named(splits: Sequence[SplitInView]) -> Named:
    """Return the sub-spaces of splits with their labels."""
    return tuple((split.label, split.leaves) for split in splits)


@kept
def _draw(named: Named, judge: SplitJudge, source: tuple[str, ...], top_label: str) -> go.Figure:
    shapes = [shape for _, leaves in named if (shape := tree_shape(leaves)) is not None]
    caption = list(source)
    title = f"How much each split tells about the {top_label}"
    if not shapes:
        return standing_figure(reports(named, judge), [], None, title, caption)
    shape = max(shapes, key=shapes.count)
    if len(set(shapes)) > 1:
        caption.append("chance and best are those of the most frequent shape of tree")
    chance = judge.chance(shape)
    best = chance.best.gain_bits
    return standing_figure(reports(named, judge), chance.gains, best, title, caption)
