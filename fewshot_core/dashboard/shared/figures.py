"""Figures on a page, each with a line that names the source of its numbers.

A figure is drawn in three steps: compute a table, draw it by a function of ``fewshot_core.plots``
(cached by ``cached_figure``), and show it by ``show_figure`` and ``show_source``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial, wraps
from importlib.util import find_spec
from itertools import islice
from typing import Any, ParamSpec, TypeVar, cast

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fewshot_core.dashboard.shared.controls import choose_one
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import FILE, SEPARATOR, SplitInView
from fewshot_core.plots import STYLES, alternative
from fewshot_core.runs import split_command

_FILE_NAME_LENGTH = 80
_CACHED = 256

P = ParamSpec("P")
T = TypeVar("T")


class Picture(go.Figure):  # type: ignore[misc]  # plotly has no types
    """A figure as the values that a browser gets, made once; the figure itself is let go.

    Of its own it has only the layout's ``meta``; everything else is made of ``to_dict``.
    """

    def __init__(self, figure: go.Figure) -> None:
        super().__init__(layout={"meta": figure.layout.meta})
        self._sent: dict[str, Any] = figure.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as plain values; they are shared and must not be changed."""
        return self._sent


def cached_figure(draw: Callable[P, go.Figure]) -> Callable[P, Picture]:
    """Cache a function that draws a figure, for all sessions; arguments must be hashable."""
    cached = lru_cache(maxsize=_CACHED)(lambda *args, **kwargs: Picture(draw(*args, **kwargs)))
    return cast(Callable[P, Picture], wraps(draw)(cached))


def show_figure(
    figure: go.Figure, key: str, on_select: Callable[[], None] | None = None, wide: bool = False
) -> None:
    """Draw a figure with its text alternative; its camera button gives an SVG file.

    Args:
        figure: The figure.
        key: Its key.
        on_select: Called when points of it are chosen.
        wide: Whether it scrolls sideways where a page is too narrow for it.
    """
    place = st.container(key=f"wide_{key}") if wide else st
    place.plotly_chart(
        figure,
        key=key,
        theme=None,
        config={
            "displaylogo": False,
            "toImageButtonOptions": {"format": "svg", "filename": key[:_FILE_NAME_LENGTH]},
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        },
        alt=alternative(figure),
        on_select=on_select or "ignore",
        selection_mode="points",
    )


def in_columns(items: Iterable[T], count: int = 3) -> Iterator[tuple[DeltaGenerator, T]]:
    """Yield items with the columns to draw them in, so many in a row."""
    rest = iter(items)
    while row := list(islice(rest, count)):
        yield from zip(st.columns(count), row, strict=False)


def choose_style(key: str, place: DeltaGenerator | None = None) -> str:
    """Choose how distributions are drawn."""
    return choose_one("Drawn as", STYLES, key, place, format_func=STYLES.__getitem__)


def show_source(
    parts: Sequence[str],
    command: str,
    key: str,
    frame: pd.DataFrame | None = None,
    figure: go.Figure | None = None,
) -> None:
    """Write the muted line under a figure, with its command, and its numbers as a download."""
    line, button = st.columns([12, 1], vertical_alignment="center")
    line.caption(SEPARATOR.join(parts))
    with button.popover("", icon=":material/terminal:", help="Reproduce this"):
        st.caption("Reproduce it with:")
        st.code(command, language="bash", wrap_lines=True)
        if frame is not None:
            st.download_button(
                "The figure's numbers (CSV)",
                lambda: frame.to_csv(index=False),
                f"{key}.csv",
                "text/csv",
                key=f"{key}_csv",
                on_click="ignore",
            )
        if figure is not None and find_spec("kaleido") is not None:
            for form in ("png", "pdf"):
                st.download_button(
                    f"The figure as {form.upper()}",
                    partial(figure.to_image, form, width=1100, scale=2),
                    f"{key}.{form}",
                    key=f"{key}_{form}",
                    on_click="ignore",
                )


def split_source(split: SplitInView) -> list[str]:
    """Return the source of a split, in parts."""
    parts = [f"run {split.key}" if split.request else f"split {split.label}", *split.details]
    if split.demo:
        parts.insert(0, "demonstration data")
    if split.request is not None and split.request.needs_images:
        several = f" x {split.request.batches} batches" if split.request.batches > 1 else ""
        parts.append(f"batch norm: {split.request.batch_norm}")
        parts.append(f"batch size {split.request.batch_size}{several}")
        if split.request.tree.warm_up_epochs:
            tree = split.request.tree
            parts.append(f"warm-up: {tree.warm_up_epochs} epochs of {tree.warm_up_images:,} images")
    if split.tree is not None:
        parts.append(str(split.tree.details.get("device")))
    if split.finished is not None:
        parts.append(datetime.fromtimestamp(split.finished, UTC).strftime("%d %b %Y %H:%M UTC"))
    return parts


def accuracy_source(view: View) -> list[str]:
    """Return the source of the accuracies in view, in parts."""
    if view.table is None:
        return []
    found = view.table.find(view.dataset, view.kind)
    parts = [f"table {view.table.label}", f"benchmark {view.kind} accuracy"]
    if found is not None:
        parts.append(_seeds_text(found.seeds))
        if found.epochs is not None:
            parts.append(f"{found.epochs} epochs")
    return parts


def _seeds_text(seeds: str) -> str:
    if not seeds[0].isdigit():
        return f"seeds {seeds}"
    return "one seed" if seeds == "1" else f"mean of {seeds} seeds"


def analyse_command(view: View) -> str:
    """Return the command that prints the numbers of a split in view."""
    if view.split is None or view.table is None:
        return "fewshot doctor"
    source = f"--run {view.split.key}"
    if view.split.request is None:
        source = f"--masks data/splits/{view.split.key.removeprefix(FILE)}.json"
    return (
        f"fewshot analyse {source} --dataset {view.dataset} "
        f"--accuracy {view.kind} --table {view.table.name} --threshold {view.threshold:g}"
    )


def show_split_source(split: SplitInView, key: str) -> None:
    """Write the muted line under a figure that shows only a split."""
    command = split_command(split.request) if split.request else "fewshot doctor"
    show_source(split_source(split), command, key)


def show_view_source(
    view: View, key: str, frame: pd.DataFrame | None = None, figure: go.Figure | None = None
) -> None:
    """Write the muted line under a figure of accuracies inside a split."""
    parts = accuracy_source(view) + (split_source(view.split) if view.split else [])
    show_source(parts, analyse_command(view), key, frame, figure)
