"""What is computed of the accuracies in view, what it rests on, and figures with their sources.

A figure is drawn in three steps: compute a table, draw it by a function of ``fewshot_core.plots``
(cached by ``cached_figure``), and show it by ``show_figure`` and ``show_source``. What is cached is
shared by all sessions: it must not be changed.
"""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    SplitEvaluator,
    conclusion,
    default_limits,
    describe_sub_spaces,
    report_frame,
)
from fewshot_core.analysis.sub_spaces import POOLED, pool_parts, sub_space_names
from fewshot_core.dashboard.shared.controls import (
    SEPARATOR,
    choose_one,
    counted,
    offer_download,
    offer_exports,
    plain,
)
from fewshot_core.dashboard.shared.page import SPLIT, open_on
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import FILE, SplitInView
from fewshot_core.dashboard.shared.url import choose_option, is_new, is_restored, publish
from fewshot_core.data_folder import data_dir
from fewshot_core.evidence import Evidence, group_by_evidence
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
from fewshot_core.space import Architecture, Part, space_label

Leaves = tuple[Part, ...]
Named = tuple[tuple[str, Leaves], ...]
"""The sub-spaces of several splits with their labels."""

LOWEST = 0.05
"""The share of the lowest accuracies that axes leave out."""

_FILE_NAME_LENGTH = 80
SMALL_LEGEND = "Grey: the whole space. Diamond: the best architecture."
"""What the marks of small multiples mean, to be said once for all of them."""

NO_VERDICT = "Smoke test: these splits only show that everything works, so there is no verdict."

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
        place: Any = st.container(key=f"wide_{key}") if wide else st
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
        label, icon = "Export this figure", ":material/ios_share:"
        if st.button(label, f"export_{key}", label, type="tertiary", icon=icon):
            show_export(figure, key[:_FILE_NAME_LENGTH], wide, source)


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
    """Offer the source of a figure: parts, command, and its numbers or a function making them."""
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


def analyse_command(view: View, *splits: SplitInView | None) -> str:
    """Return the command that prints the numbers of splits by the accuracies in view."""
    runs = [part for split in splits if split for part in ("--run", split.key.removeprefix(FILE))]
    if not runs or view.table is None:
        return "fewshot doctor"
    options = ["--accuracy", view.kind, "--table", view.table.name]
    options += ["--threshold", f"{view.threshold:g}"]
    options += ["--at-most", view.limit.option] if view.limit else []
    return f"{view.repeat(shlex.join(['fewshot', 'analyse', *runs]))} {shlex.join(options)}"


def show_split_source(split: SplitInView, key: str) -> None:
    """Offer the source of a figure that shows only a split."""
    command = split_command(split.request) if split.request else "fewshot doctor"
    show_source(split_source(split), command, key)


def show_view_source(view: View, key: str, frame: pd.DataFrame | None = None) -> None:
    """Offer the source of a figure of accuracies inside a split."""
    parts = view.source + (split_source(view.split) if view.split else [])
    show_source(parts, analyse_command(view, view.split), key, frame)


def split_evidence(view: View, dataset: str) -> list[tuple[str, Evidence]]:
    """List the keys of all splits of a data set with what they rest on."""
    store = view.workspace.store
    known = store.splits(dataset, space=view.space.name).set_index("run_id")["evidence"]
    imported = Evidence(dataset, space=space_label(view.space))
    keys = view.split_labels(dataset)
    return [(key, known.get(key, imported)) for key in keys]


def split_groups(view: View) -> dict[Evidence, list[str]]:
    """Group the splits of the data set in view by what they rest on, the strongest first."""
    return group_by_evidence(split_evidence(view, view.dataset))


def choose_evidence(
    groups: Mapping[Evidence, Sequence[object]],
    noun: str,
    plural: str = "",
    key: str = "evidence",
) -> Evidence:
    """Choose what results rest on, in the URL, by default the strongest; an only one is taken."""
    labels = {
        group.key: f"{group.label} ({counted(len(items), noun, plural)})"
        for group, items in groups.items()
    }
    if (is_restored() or is_new(key)) and st.query_params.get(
        key, next(iter(labels))
    ) not in labels:
        st.warning(
            "This data folder has no results with the evidence that the link asks for: the "
            "strongest are shown.",
            icon=":material/link_off:",
        )
    if len(labels) == 1:
        publish({key: None})
        return next(iter(groups))
    help_text = "Results with different networks, images, weights or protocols are never compared."
    chosen = choose_option(st.selectbox, "Results with", labels, key, unwritten="", help=help_text)
    return next(group for group in groups if group.key == chosen)


def split_notes(splits: Sequence[SplitInView]) -> list[tuple[str, ...]]:
    """List what a reader must know of each split: the badges, a demo split, the only one."""
    counts = Counter(split.name for split in splits)
    return [split.notes(counts[split.name] == 1) for split in splits]


def verdict(
    evidence: Evidence, splits: Sequence[SplitInView], reports: pd.DataFrame, top_label: str
) -> str:
    """Summarise reports of splits in one sentence, with what is top and what they have in common.

    The reports are of all splits, or of the median one by each metric. Random splits are not
    counted beside others: the sentence compares with what is random already.
    """
    notes = [plain(top_label), *evidence.badges]
    notes += ["demo"] * all(split.demo for split in splits)
    if len(reports) < len(splits):
        notes.append("median split of each metric")
    elif max(Counter(split.name for split in splits).values()) == 1 and not any(
        split.is_partition for split in splits
    ):
        notes.append("one seed each" if len(splits) > 1 else "one seed")
    by_chance = {name for each in splits if each.by_chance for name in (each.label, each.name)}
    judged = reports[~reports["split"].isin(by_chance)]
    found = conclusion(reports if judged.empty else judged) if evidence.conclusive else NO_VERDICT
    return f"{plain(found)} ({', '.join(notes)})"


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
    caption = view.source[:2]
    mixed = len({split.demo for split in splits}) > 1
    looks = tuple(
        (
            split.name if by_metric else split.label,
            ", ".join(notes),
            ("diamond" if mixed and split.demo else "circle")
            + "-open" * bool(split.evidence.badges),
            split.key,
        )
        for split, notes in zip(splits, split_notes(splits), strict=True)
    )
    if len({row for row, *_ in looks}) < len(looks):
        caption.append("one point per split")
    hollow = dict.fromkeys(badge for split in splits for badge in split.evidence.badges)
    caption += [f"hollow: {', '.join(hollow)}"] if hollow else []
    caption += ["diamond: demo"] * mixed
    title = f"Information gain about the {view.top_label}"
    figure = _draw_gains(named(splits), evaluator, title, tuple(caption), looks)
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
    command = analyse_command(view, *splits)
    command += " --figure information-gain.html" * (view.table is not None)
    parts = [*view.source, f"{len(splits)} splits", "10,000 random trees, seed 0"]
    show_source(parts, command, key, partial(noted_reports, splits, evaluator))


@cached_figure
def _draw_gains(
    named: Named,
    evaluator: SplitEvaluator,
    title: str,
    caption: tuple[str, ...],
    looks: tuple[tuple[str, ...], ...],
) -> go.Figure:
    """Draw the informativeness; ``looks``: row, notes, symbol and key of each split."""
    columns = ["row", "notes", "symbol", "key"]
    frame = pd.DataFrame(looks, [label for label, _ in named], columns)
    table = reports(named, evaluator).join(frame, on="split")
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
    show_figure(figure, key, source=[*view.source[:2], *rests_on([split])])
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
    downloads, place = st.container(), st.empty()
    svg = _draw_paper(paper_figure(figure, width, size, notes), width)
    if svg is None:
        place.caption("Drawing the figure ...")
    else:
        place.image(svg, width=round(width / 25.4 * 96))
    exports: dict[str, Any] = {"svg": svg}
    exports |= {to: svg and partial(convert_svg, svg, to) for to in ("pdf", "png")}
    exports["csv"] = lambda: figure_numbers(figure).to_csv(index=False, float_format="%.8g")
    program = partial(figure_source, figure, width, size)
    with downloads:
        offer_exports(name, exports | {"py": program if has_source(figure) else None})


def _draw_paper(paper: go.Figure, width: float) -> str | None:
    """Return a figure as SVG text of a width in mm, or None until the browser has drawn it."""
    text = paper.to_json()
    name = sha1(text.encode(), usedforsecurity=False).hexdigest()
    load, draw = _components()
    load(key="plotly")
    data = {"id": name, "figure": text}
    drawn = draw(key="plotly_svg", data=data, on_drawn_change=lambda: None).drawn
    return paper_svg(drawn["svg"], width) if drawn and drawn["id"] == name else None
