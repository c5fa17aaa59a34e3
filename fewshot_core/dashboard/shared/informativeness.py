"""Several splits in one figure, and small multiples of their distributions."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from fewshot_core.analysis import SplitEvaluator, tree_shape
from fewshot_core.dashboard.shared.figures import (
    accuracy_source,
    cached_figure,
    show_figure,
    show_source,
)
from fewshot_core.dashboard.shared.loading import Leaves, Named, describe, distributions, reports
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import SEPARATOR, SplitInView
from fewshot_core.plots import cut_notes, distributions_figure, informativeness_figure

Rows = tuple[tuple[str, str, bool], ...]
"""Label, row and whether it is drawn hollow, of every split."""


def named(splits: Sequence[SplitInView]) -> Named:
    """Return the sub-spaces of splits with their labels."""
    return tuple((split.label, split.leaves) for split in splits)


def show_informativeness(
    view: View,
    evaluator: SplitEvaluator,
    splits: Sequence[SplitInView],
    key: str,
    by_metric: bool = False,
) -> None:
    """Draw the information gain of splits between random trees and the best tree.

    Both are of the shape that most of the splits have.

    Args:
        view: What is in view.
        evaluator: Evaluator of the splits.
        splits: The splits.
        key: The figure's key.
        by_metric: Whether splits by one metric share a row.
    """
    source = tuple(accuracy_source(view)[:2])
    rows = tuple((split.label, split.name, split.trained) for split in splits) if by_metric else ()
    show_figure(_draw(named(splits), evaluator, source, view.top_label, rows), key)


def show_splits_source(view: View, splits: Sequence[SplitInView], key: str) -> None:
    """Write the muted line under a figure of several splits."""
    table = f" --table {view.table.name}" if view.table else ""
    commands = [
        f"fewshot analyse --run {split.key} --accuracy {view.kind} "
        f"--threshold {view.threshold:g}{table}"
        for split in splits
        if split.request is not None
    ]
    parts = [*accuracy_source(view), f"{len(splits)} splits", "10,000 random trees, seed 0"]
    show_source(parts, "\n".join(commands) or "fewshot doctor", key)


@cached_figure
def _draw(
    named: Named, evaluator: SplitEvaluator, source: tuple[str, ...], top_label: str, rows: Rows
) -> go.Figure:
    caption = list(source)
    title = f"Information gain about the {top_label}"
    table = reports(named, evaluator)
    if rows:
        of = {label: (row, hollow) for label, row, hollow in rows}
        points = [of[label] for label in table["split"]]
        table = table.assign(row=[row for row, _ in points], hollow=[open_ for _, open_ in points])
        trained = ", hollow: trained weights" * bool(table["hollow"].any())
        caption.append(f"one point per split{trained}")
    shapes = [shape for _, leaves in named if (shape := tree_shape(leaves)) is not None]
    if not shapes:
        return informativeness_figure(table, [], None, title, caption)
    shape = max(shapes, key=shapes.count)
    if len(set(shapes)) > 1:
        caption.append("random and best trees are of the most frequent shape")
    baseline = evaluator.baseline(shape)
    return informativeness_figure(table, baseline.gains, baseline.best.gain_bits, title, caption)


def show_small_distributions(
    view: View,
    evaluator: SplitEvaluator,
    split: SplitInView,
    style: str,
    key: str,
    title: str,
    note: str = "",
) -> None:
    """Draw one small multiple: the distributions of a split, with what the axis leaves out."""
    leaves, axis_title = split.leaves, f"{view.kind} accuracy, %"
    show_figure(_draw_small(leaves, evaluator, axis_title, style, title), key)
    notes = cut_notes(distributions(leaves, evaluator, style), describe(leaves, evaluator))
    st.caption(SEPARATOR.join(filter(None, [note, *notes])))


@cached_figure
def _draw_small(
    leaves: Leaves, evaluator: SplitEvaluator, axis_title: str, style: str, title: str
) -> go.Figure:
    frame, described = distributions(leaves, evaluator, style), describe(leaves, evaluator)
    return distributions_figure(frame, described, axis_title, style, title=title, compact=True)
