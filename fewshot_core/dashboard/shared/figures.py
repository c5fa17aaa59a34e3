"""Accuracies in view and what is computed of them; figures, each with the source of its numbers.

A figure is drawn in three steps: compute a table, draw it by a function of ``fewshot_core.plots``
(cached by ``cached_figure``), and show it by ``show_figure`` and ``show_source``. What is cached is
shared by all sessions: it must not be changed.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial, wraps
from hashlib import sha1
from itertools import islice
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.offline import get_plotlyjs
from streamlit.delta_generator import DeltaGenerator

from fewshot_core.analysis import (
    DISTRIBUTION_FRAMES,
    CostLimit,
    SplitEvaluator,
    default_limits,
    describe_sub_spaces,
    report_frame,
)
from fewshot_core.analysis.sub_spaces import POOLED, pool_parts, sub_space_names
from fewshot_core.bench import TableInfo
from fewshot_core.dashboard.shared.controls import SEPARATOR, choose_one, offer_download, plain
from fewshot_core.dashboard.shared.evidence import split_notes
from fewshot_core.dashboard.shared.page import SPLIT, Workspace, open_on
from fewshot_core.dashboard.shared.sidebar import View, read_accuracy
from fewshot_core.dashboard.shared.splits import FILE, SplitInView
from fewshot_core.data_folder import data_dir
from fewshot_core.errors import TableError
from fewshot_core.plots import (
    STYLES,
    WIDTHS,
    alternative,
    cell_figure,
    convert_svg,
    cut_notes,
    distributions_figure,
    figure_numbers,
    figure_source,
    gains_figure,
    has_source,
    paper_figure,
    paper_svg,
)
from fewshot_core.runs import in_data_folder, split_command
from fewshot_core.space import NAS_BENCH_201, Architecture, Part

Leaves = tuple[Part, ...]
Named = tuple[tuple[str, Leaves], ...]
"""The sub-spaces of several splits with their labels."""

LOWEST = 0.05
"""The share of the lowest accuracies that axes leave out."""

_FILE_NAME_LENGTH = 80
SMALL_LEGEND = "Grey: the whole space. Diamond: the best architecture."
"""What the marks of small multiples mean, to be said once for all of them."""

MOST_ROWS = 32
"""How many sub-spaces a figure of distributions has; the others of a large partition are pooled."""
_SMALL_POINTS, _SMALL_VIOLIN_POINTS = 40, 21
"""How many points a curve of a small multiple has; violins have two for each sub-space."""
_CACHED = 64

_DRAW = """
export default function({data, setStateValue}) {
  const {layout} = JSON.parse(data.figure);
  const size = {format: "svg", width: layout.width, height: layout.height};
  const draw = () => window.Plotly
    ? window.Plotly.toImage(JSON.parse(data.figure), size).then(url => setStateValue(
        "drawn", {id: data.id, svg: decodeURIComponent(url.slice(url.indexOf(",") + 1))}))
    : setTimeout(draw, 50);
  draw();
}"""

P = ParamSpec("P")
T = TypeVar("T")


def load_evaluator(view: View, dataset: str | None = None) -> SplitEvaluator | None:
    """Return the evaluator by the accuracies in view; None where the table has no such ones."""
    name = dataset or view.dataset
    if view.table is None or view.table.find(name, view.kind) is None:
        return None
    try:
        return _evaluator(view.workspace, view.table, name, view.kind, view.limit, view.threshold)
    except TableError:
        if view.limit is None:
            raise
        return None  # no architecture is within the limit on this data set


@st.cache_resource(show_spinner="Drawing random trees", max_entries=24)
def _evaluator(
    _workspace: Workspace,
    table: TableInfo,
    dataset: str,
    kind: str,
    limit: CostLimit | None,
    threshold: float,
) -> SplitEvaluator:
    return SplitEvaluator(read_accuracy(_workspace, table, dataset, kind, limit), threshold)


@lru_cache(_CACHED)
def describe(leaves: Leaves, evaluator: SplitEvaluator) -> pd.DataFrame:
    """Describe each sub-space of a split; see ``describe_sub_spaces``."""
    return describe_sub_spaces(leaves, evaluator.accuracy, evaluator.threshold)


@lru_cache(_CACHED)
def _pooled(
    leaves: Leaves, evaluator: SplitEvaluator, highlight: str | None
) -> tuple[Leaves, tuple[str, ...]]:
    return pool_parts(leaves, describe(leaves, evaluator), MOST_ROWS, highlight)


def pool(
    leaves: Leaves, evaluator: SplitEvaluator, look: dict[str, Any]
) -> tuple[Leaves, Callable[[pd.DataFrame], pd.DataFrame], dict[str, Any]]:
    """Pool what is too much for a figure of distributions; see ``pool_parts``.

    Returns the sub-spaces that it draws, a function that names those of a frame as the figure
    does, and its options: the mark of an architecture in the pool, and how many are pooled.
    """
    parts, names = _pooled(leaves, evaluator, look.get("highlight"))
    known = dict(zip(sub_space_names(len(names)), names, strict=True))
    marked, caption = look.get("marked"), tuple(look.get("caption", ()))
    if marked and marked[0] not in names:
        marked = (POOLED, marked[1])
    left = len(leaves) - len(names) + 1
    if left > 1:
        caption += (f"{POOLED}: the {left} of {len(leaves)} with the fewest top ones",)

    def rename(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(sub_space=frame["sub_space"].map(lambda name: known.get(name, name)))

    return parts, rename, look | {"marked": marked, "caption": caption}


@lru_cache(_CACHED)
def reports(named: Named, evaluator: SplitEvaluator) -> pd.DataFrame:
    """Return the reports of several splits, the most informative first."""
    return report_frame(dict(named), evaluator)


@lru_cache(_CACHED)
def distributions(
    leaves: Leaves,
    evaluator: SplitEvaluator,
    style: str,
    lowest: float = LOWEST,
    compact: bool = False,
) -> pd.DataFrame:
    """Return the distributions that a style draws, without a share of the lowest accuracies."""
    limits = default_limits(evaluator.accuracy, lowest)
    points = _SMALL_VIOLIN_POINTS if style == "violin" else _SMALL_POINTS
    coarse = {"points": points} if compact and style != "histogram" else {}
    return DISTRIBUTION_FRAMES[style](leaves, evaluator.accuracy, limits, **coarse)


class Picture(go.Figure):  # type: ignore[misc]  # plotly has no types
    """A figure as the values that a browser gets, made once; the figure itself is let go.

    Of its own it has only the layout's ``meta``; everything else is made of ``to_dict``.
    """

    def __init__(self, figure: go.Figure) -> None:
        super().__init__(layout={"meta": figure.layout.meta})
        if has_source(figure):
            self._drawn_by = figure._drawn_by
        self._sent: dict[str, Any] = figure.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as plain values; they are shared and must not be changed."""
        return self._sent


def cached_figure(draw: Callable[P, go.Figure]) -> Callable[P, Picture]:
    """Cache a function that draws a figure, for all sessions; arguments must be hashable."""
    cached = lru_cache(maxsize=_CACHED)(lambda *args, **kwargs: Picture(draw(*args, **kwargs)))
    return cast(Callable[P, Picture], wraps(draw)(cached))


def show_figure(
    figure: go.Figure,
    key: str,
    on_select: Callable[[], None] | None = None,
    wide: bool = False,
    source: Sequence[str] = (),
) -> None:
    """Draw a figure with its text alternative, and a button that exports it.

    ``on_select`` is called when points of it are chosen. A wide figure scrolls sideways where the
    page is too narrow for it. ``source`` is what its numbers rest on, for an export, as far as its
    title does not say so.
    """
    with st.container(key=f"figure_{key}"):
        _draw_figure(figure, key, on_select, st.container(key=f"wide_{key}") if wide else st)
        label, icon = "Export this figure", ":material/ios_share:"
        if st.button(label, f"export_{key}", label, type="tertiary", icon=icon):
            show_export(figure, key[:_FILE_NAME_LENGTH], wide, source)


def _draw_figure(
    figure: go.Figure, key: str, on_select: Callable[[], None] | None, place: Any
) -> None:
    place.plotly_chart(
        figure,
        key=key,
        theme=None,
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "toImage"],
        },
        alt=alternative(figure),
        on_select=on_select or "ignore",
        selection_mode="points",
    )


def clicked(key: str) -> list[Any]:
    """Return the ``customdata`` of the point that was clicked in a figure, if any."""
    points = st.session_state[key].selection.points[:1]
    return [np.ravel(point["customdata"])[0] for point in points if "customdata" in point]


def show_architecture(architecture: Architecture, title: str, key: str) -> None:
    """Draw the cell of an architecture, with its string."""
    show_figure(cell_figure(architecture, title), key)
    st.code(architecture.to_string(), language=None, wrap_lines=True)


def in_columns(items: Iterable[T], count: int = 3) -> Iterator[tuple[DeltaGenerator, T]]:
    """Yield items with the columns to draw them in, so many in a row."""
    rest = iter(items)
    while row := list(islice(rest, count)):
        yield from zip(st.columns(count), row, strict=False)


def choose_style(key: str, place: Any = st) -> str:
    """Choose how distributions are drawn."""
    return choose_one("Drawn as", STYLES, key, place, wrap=True, format_func=STYLES.__getitem__)


def show_source(
    parts: Sequence[str],
    command: str,
    key: str,
    frame: pd.DataFrame | Callable[[], pd.DataFrame] | None = None,
) -> None:
    """Offer where a figure comes from: its parts, its command, and its numbers as a download.

    A function makes the numbers when they are wanted.
    """
    text = "Where this comes from, and how to reproduce it"
    with st.popover("", icon=":material/info:", help=text, type="tertiary"):
        st.caption(plain(SEPARATOR.join(parts)))
        st.caption("Reproduce it with:")
        st.code(in_data_folder(command, data_dir()), language="bash", wrap_lines=True)
        if frame is not None:
            label = "The figure's numbers (CSV)"
            numbers = frame if callable(frame) else partial(pd.DataFrame, frame)
            offer_download(label, lambda: numbers().to_csv(index=False), f"{key}.csv", f"{key}_csv")


def split_source(split: SplitInView) -> list[str]:
    """Return the source of a split, in parts."""
    parts = ["demonstration data"] if split.demo else []
    parts += [f"run {split.key}" if split.request else f"split {split.label}", *split.details]
    request = split.request
    if request is not None and request.needs_images:
        several = f" x {request.batches} batches" if request.batches > 1 else ""
        parts.append(f"batch norm: {request.batch_norm}")
        parts.append(f"batch size {request.batch_size}{several}")
        if epochs := request.tree.warm_up_epochs:
            parts.append(f"warm-up: {epochs} epochs of {request.tree.warm_up_images:,} images")
    if split.tree is not None:
        parts.append(str(split.tree.details.get("device")))
    if split.finished is not None:
        parts.append(time_text(split.finished))
    return parts


def rests_on(splits: Sequence[SplitInView]) -> list[str]:
    """List what splits with equal evidence rest on, for an exported figure of them."""
    used = [split.evidence for split in splits]
    evidence = next((one for one in used if one.images), used[0])  # some may use no images
    notes = [note for split in splits for note in split.notes()]
    return list(dict.fromkeys([evidence.label, *notes]))


def time_text(seconds: float) -> str:
    """Return a time since the epoch as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y %H:%M UTC")


def accuracy_source(view: View) -> list[str]:
    """Return the source of the accuracies in view, in parts."""
    if view.table is None:
        return []
    found = view.table.find(view.dataset, view.kind)
    place = "" if view.space == NAS_BENCH_201 else f"{view.space.label}, "
    only = f", only {view.limit}" if view.limit else ""
    parts = [f"{place}table {view.table.label}{only}", f"benchmark {view.kind} {view.task.score}"]
    if found is not None:
        seeds = found.seeds
        number = "one seed" if seeds == "1" else f"mean of {seeds} seeds"
        parts.append(number if seeds[0].isdigit() else f"seeds {seeds}")
        if found.epochs is not None:
            parts.append(f"{found.epochs} epochs")
    return parts


def analyse_command(view: View, split: SplitInView | None) -> str:
    """Return the command that prints the numbers of a split by the accuracies in view."""
    if split is None or view.table is None:
        return "fewshot doctor"
    return _analyse(view, view.table, [split])


def _analyse(view: View, table: TableInfo, splits: Sequence[SplitInView]) -> str:
    runs = [part for split in splits for part in ("--run", split.key.removeprefix(FILE))]
    options = ["--accuracy", view.kind, "--table", table.name]
    options += ["--threshold", f"{view.threshold:g}"]
    options += ["--at-most", view.limit.option] if view.limit else []
    return f"{view.repeat(shlex.join(['fewshot', 'analyse', *runs]))} {shlex.join(options)}"


def show_split_source(split: SplitInView, key: str) -> None:
    """Offer the source of a figure that shows only a split."""
    command = split_command(split.request) if split.request else "fewshot doctor"
    show_source(split_source(split), command, key)


def show_view_source(view: View, key: str, frame: pd.DataFrame | None = None) -> None:
    """Offer the source of a figure of accuracies inside a split."""
    parts = accuracy_source(view) + (split_source(view.split) if view.split else [])
    show_source(parts, analyse_command(view, view.split), key, frame)


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
    """Draw the information gain of splits among that of random trees; a click opens one on Split.

    Random trees are of the shape that most of the splits have. ``by_metric``: splits by one metric
    share a row.
    """
    source = tuple(accuracy_source(view)[:2])
    mixed = len({split.demo for split in splits}) > 1
    points = tuple(
        (
            split.name if by_metric else split.label,
            notes,
            split.evidence.badges,
            mixed and split.demo,
            split.key,
        )
        for split, notes in zip(splits, split_notes(splits), strict=True)
    )
    figure = _draw_gains(named(splits), evaluator, source, view.top_label, points)
    # Without an action of its own: a callback cannot open a page.
    show_figure(figure, key, source=rests_on(splits), on_select=lambda: None)
    st.caption("A click on a dot opens its split.")
    for split in clicked(key):
        open_on(SPLIT, {"split": str(split)})


def noted_reports(splits: Sequence[SplitInView], evaluator: SplitEvaluator) -> pd.DataFrame:
    """Return the reports of several splits with what they rest on, in two columns."""
    rows = [
        (split.evidence.label, ", ".join(notes))
        for split, notes in zip(splits, split_notes(splits), strict=True)
    ]
    known = pd.DataFrame(rows, [split.label for split in splits], ["evidence", "notes"])
    return reports(named(splits), evaluator).join(known, on="split")


def show_splits_source(
    view: View, evaluator: SplitEvaluator, splits: Sequence[SplitInView], key: str
) -> None:
    """Offer the source of a figure of several splits, with their reports as a download."""
    command = "fewshot doctor"
    if view.table is not None:
        command = f"{_analyse(view, view.table, splits)} --figure information-gain.html"
    parts = [*accuracy_source(view), f"{len(splits)} splits", "10,000 random trees, seed 0"]
    show_source(parts, command, key, partial(noted_reports, splits, evaluator))


@cached_figure
def _draw_gains(
    named: Named,
    evaluator: SplitEvaluator,
    source: tuple[str, ...],
    top_label: str,
    points: tuple[tuple[str, tuple[str, ...], tuple[str, ...], bool, str], ...],
) -> go.Figure:
    """Draw the informativeness; ``points``: row, notes, why hollow, whether a diamond, key."""
    caption = list(source)
    title = f"Information gain about the {top_label}"
    looks = pd.DataFrame(
        [
            (row, ", ".join(notes), ("diamond" if demo else "circle") + "-open" * bool(why), key)
            for row, notes, why, demo, key in points
        ],
        [label for label, _ in named],
        ["row", "notes", "symbol", "key"],
    )
    table = reports(named, evaluator).join(looks, on="split")
    if len(set(looks["row"])) < len(looks):
        caption.append("one point per split")
    hollow = dict.fromkeys(badge for *_, why, _, _ in points for badge in why)
    caption += [f"hollow: {', '.join(hollow)}"] if hollow else []
    if any(demo for *_, demo, _ in points):
        caption.append("diamond: demo")
    return gains_figure(table, dict(named), evaluator, title, caption)


def show_small_distributions(
    view: View,
    evaluator: SplitEvaluator,
    split: SplitInView,
    style: str,
    key: str,
    title: str,
) -> list[str]:
    """Draw one small multiple: the distributions of a split; return what the axis leaves out."""
    leaves, task = split.leaves, view.space.dataset(split.dataset)
    axis_title = f"{view.kind} {task.score}, {task.stored_unit}"
    look: Any = {"axis_title": axis_title, "title": title, "unit": task.stored_unit}
    figure = draw_distributions(leaves, evaluator, style, compact=True, **look)
    show_figure(figure, key, source=[*accuracy_source(view)[:2], *rests_on([split])])
    frame = distributions(leaves, evaluator, style, LOWEST, True)
    return cut_notes(frame, describe(leaves, evaluator), task.stored_unit)


@cached_figure
def draw_distributions(
    leaves: Leaves,
    evaluator: SplitEvaluator,
    style: str,
    lowest: float = LOWEST,
    compact: bool = False,
    **look: Any,
) -> go.Figure:
    """Draw the distributions of a split; further options are those of the figure."""
    parts, rename, look = pool(leaves, evaluator, look)
    frame = rename(distributions(parts, evaluator, style, lowest, compact))
    look |= {"style": style, "compact": compact}
    return distributions_figure(frame, rename(describe(parts, evaluator)), **look)


@lru_cache(maxsize=1)
def _components() -> tuple[Any, Any]:
    """Return the component that loads Plotly.js, which browsers cache, and the one that draws.

    The reader's own browser draws a figure to export: nothing else must be installed, and the
    figure has the letters that the reader sees. Both are only sent when the dialog is opened.
    """
    load = f"{get_plotlyjs()}\nexport default () => {{}}"
    component = st.components.v2.component
    return component("plotly", js=load), component("plotly_svg", js=_DRAW)


@st.dialog("Export", width="medium", icon=":material/ios_share:")
def show_export(figure: go.Figure, name: str, wide: bool, notes: Sequence[str] = ()) -> None:
    """Offer a figure as SVG, PDF and PNG, its numbers as CSV, and a Python program that draws it.

    ``notes`` are what its numbers rest on, as far as its title does not say so.
    """
    with st.container(horizontal=True, gap="large"):
        look: Any = {"default": list(WIDTHS)[wide], "bind": None, "help": None}
        width = WIDTHS[choose_one("Width", WIDTHS, "export_width", **look)]
        limits: Any = {"min_value": 5.0, "max_value": 14.0, "value": 8.0, "step": 0.5}
        size = st.number_input("Font size, pt", **limits, key="export_size", format="%g", width=160)
    downloads, place = st.container(horizontal=True), st.empty()
    svg = _draw_paper(paper_figure(figure, width, size, notes), width)
    if svg is None:
        place.caption("Drawing the figure ...")
    else:
        place.image(svg, width=round(width / 25.4 * 96))
    with downloads:
        _offer(name, "svg", svg or "", svg is not None)
        _offer(name, "pdf", partial(convert_svg, svg or "", "pdf"), svg is not None)
        _offer(name, "png", partial(convert_svg, svg or "", "png"), svg is not None)
        _offer(name, "csv", partial(_csv, figure))
        _offer(name, "py", partial(figure_source, figure, width, size), has_source(figure))


def _draw_paper(paper: go.Figure, width: float) -> str | None:
    """Return a figure as SVG text of a width in mm, or None until the browser has drawn it."""
    text = paper.to_json()
    name = sha1(text.encode(), usedforsecurity=False).hexdigest()
    load, draw = _components()
    load(key="plotly")
    data = {"id": name, "figure": text}
    drawn = draw(key="plotly_svg", data=data, on_drawn_change=lambda: None).drawn
    return paper_svg(drawn["svg"], width) if drawn and drawn["id"] == name else None


def _csv(figure: go.Figure) -> str:
    return figure_numbers(figure).to_csv(index=False, float_format="%.8g")


def _offer(name: str, suffix: str, data: Any, ready: bool = True) -> None:
    label = "Python" if suffix == "py" else suffix.upper()
    look = {"icon": ":material/download:", "disabled": not ready}
    offer_download(label, data, f"{name}.{suffix}", f"export_{suffix}", **look)
