"""The distributions of one split among others: a small picture, and what it leaves out."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis import SplitEvaluator, tree_shape
from fewshot_core.dashboard.shared.figures import (
    accuracy_source,
    kept,
    show_figure,
    show_source,
)
from fewshot_core.dashboard.shared.loading import (
    Leaves,
    Named,
    describe,
    distributions,
    reports,
)
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import SplitInView
from fewshot_core.plots import cut_notes, distributions_figure, informativeness_figure


def some_of_each(labels: Mapping[str, str], most: int = 1) -> list[str]:
    """Return the first splits of each metric, by their keys, of splits with their labels."""
    found: dict[str, list[str]] = {}
    for key, label in labels.items():
        found.setdefault(label.partition(" · ")[0], []).append(key)
    return [key for keys in found.values() for key in keys[:most]]


def show_informativeness(
    view: View,
    evaluator: SplitEvaluator,
    splits: Sequence[SplitInView],
    key: str,
    by_metric: bool = False,
) -> None:
    """Draw splits between chance and the best tree of the shape that most of them have.

    Args:
        view: What is looked at.
        judge: Evaluator of the splits.
        splits: The splits.
        key: The figure's key.
        by_metric: Whether splits by one metric share a row.
    """
    source = tuple(accuracy_source(view)[:2])
    rows = tuple((split.label, split.name, split.trained) for split in splits) if by_metric else ()
    show_figure(_draw(named(splits), evaluator, source, view.top_label, rows), key)


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
def _draw(
    named: Named,
    evaluator: SplitEvaluator,
    source: tuple[str, ...],
    top_label: str,
    rows: tuple[tuple[str, str, bool], ...],
) -> go.Figure:
    shapes = [shape for _, leaves in named if (shape := tree_shape(leaves)) is not None]
    caption = list(source)
    title = f"How much each split tells about the {top_label}"
    judged = _in_rows(reports(named, evaluator), rows)
    if rows:
        caption.append("one point for each split" + ", hollow: trained" * any(r[2] for r in rows))
    if not shapes:
        return informativeness_figure(judged, [], None, title, caption)
    shape = max(shapes, key=shapes.count)
    if len(set(shapes)) > 1:
        caption.append("chance and best are those of the most frequent shape of tree")
    chance = evaluator.baseline(shape)
    best = chance.best.gain_bits
    return informativeness_figure(judged, chance.gains, best, title, caption)


def _in_rows(judged: pd.DataFrame, rows: tuple[tuple[str, str, bool], ...]) -> pd.DataFrame:
    """Return reports with the row that each split stands in and whether it is drawn hollow."""
    if not rows:
        return judged
    named_rows = {label: row for label, row, _ in rows}
    trained = {label: hollow for label, _, hollow in rows}
    splits = judged["split"]
    return judged.assign(row=splits.map(named_rows), hollow=splits.map(trained))


@kept
def draw_small(
    leaves: Leaves, evaluator: SplitEvaluator, axis_title: str, style: str, title: str
) -> go.Figure:
    """Return the picture of a split's distributions in a style."""
    frame = distributions(leaves, evaluator, style)
    described = describe(leaves, evaluator)
    return distributions_figure(frame, described, axis_title, style, title=title, compact=True)


@lru_cache(maxsize=256)
def small_notes(leaves: Leaves, evaluator: SplitEvaluator, style: str) -> str:
    """Return what the picture does not show, in words."""
    return " · ".join(
        cut_notes(distributions(leaves, evaluator, style), describe(leaves, evaluator))
    )
