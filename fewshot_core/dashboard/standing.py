"""Splits between chance and the best tree, on a page."""

from collections.abc import Mapping, Sequence

from fewshot_core.analysis import SplitJudge, report_frame, tree_shape
from fewshot_core.dashboard.figures import accuracy_source, show_figure
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
    reports = report_frame({split.label: split.leaves for split in splits}, judge)
    shapes = [shape for split in splits if (shape := tree_shape(split.leaves)) is not None]
    caption = [*accuracy_source(view)[:2], view.top_label]
    title = f"How much each split tells about the {view.top_label}"
    if not shapes:
        show_figure(standing_figure(reports, [], None, title, caption), key)
        return
    shape = max(shapes, key=shapes.count)
    if len(set(shapes)) > 1:
        caption.append("chance and best are those of the most frequent shape of tree")
    chance = judge.chance(shape)
    figure = standing_figure(reports, chance.gains, chance.best.gain_bits, title, caption)
    show_figure(figure, key)
