"""Figures on a page, each with the line that says where its numbers come from."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial, wraps
from importlib.util import find_spec
from typing import Any, ParamSpec, cast

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.elements.lib.layout_utils import Width

from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import SplitInView
from fewshot_core.plots import alternative
from fewshot_core.runs import split_command

_FILE_NAME_LENGTH = 80
_KEPT = 256

P = ParamSpec("P")


class Picture(go.Figure):  # type: ignore[misc]  # plotly has no types
    """What a browser gets of a figure, made only once; the figure itself is let go.

    Of its own it has only the layout's ``meta``; everything else is made of ``to_dict``.
    """

    def __init__(self, figure: go.Figure) -> None:
        super().__init__(layout={"meta": figure.layout.meta})
        self._sent: dict[str, Any] = figure.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as plain values; they are shared and must not be changed."""
        return self._sent


def kept(draw: Callable[P, go.Figure]) -> Callable[P, Picture]:
    """Have something drawn only once for the same arguments, which must be hashable."""
    known = lru_cache(maxsize=_KEPT)(lambda *args, **kwargs: Picture(draw(*args, **kwargs)))
    return cast(Callable[P, Picture], wraps(draw)(known))


def show_figure(
    figure: go.Figure,
    key: str,
    on_select: Callable[[], None] | None = None,
    width: Width = "stretch",
    wide: bool = False,
) -> None:
    """Draw a figure with its text alternative; its camera button gives an SVG file.

    Args:
        figure: The figure.
        key: Its key.
        on_select: What happens when points of it are chosen.
        width: As for ``st.plotly_chart``.
        wide: Whether it is to be moved sideways where a page is too narrow for it.
    """
    config = {
        "displaylogo": False,
        "toImageButtonOptions": {"format": "svg", "filename": key[:_FILE_NAME_LENGTH]},
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    }
    place = st.container(key=f"wide_{key}") if wide else st
    place.plotly_chart(
        figure,
        key=key,
        theme=None,
        width=width,
        config=config,
        alt=alternative(figure),
        on_select=on_select or "ignore",
        selection_mode="points",
    )


def show_source(
    parts: Sequence[str],
    command: str,
    key: str,
    frame: pd.DataFrame | None = None,
    figure: go.Figure | None = None,
) -> None:
    """Write the muted line under a figure, with the command that repeats it and its numbers."""
    line, button = st.columns([12, 1], vertical_alignment="center")
    line.caption(" · ".join(parts))
    with button.popover("", icon=":material/terminal:", help="The command that repeats this"):
        st.caption("This command repeats it:")
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
    """Return where a split comes from, in parts."""
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
    """Return where the accuracies in view come from, in parts."""
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
        source = f"--masks data/splits/{view.split.key.removeprefix('file-')}.json"
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
