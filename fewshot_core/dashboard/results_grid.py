"""The grid of results: metric by algorithm, measured beside published."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from fewshot_core.analysis.published_results import ALGORITHM_LABELS, DIGITS
from fewshot_core.analysis.results_export import MIXED, NO_RESULT, cell_text

_METRIC = "metric"
_BEST = "font-weight: 700"
_LINK, _BETWEEN = "cell", "/"
_PUBLISHED, _DIFFERENCE = "paper", "Δ"

Row = Mapping[Hashable, Any]


def show_grid(table: pd.DataFrame, show: str) -> tuple[str, str] | None:
    """Draw a table of results, the best of each algorithm in bold.

    Args:
        table: What ``results_table`` returns.
        show: ``"measured"``, ``"published"`` or ``"both"``.

    Returns:
        Metric and algorithm of the cell that is chosen, or None.
    """
    algorithms = list(dict.fromkeys(table["algorithm"]))
    metrics = list(dict.fromkeys(table["metric"]))
    texts: dict[str, list[str]] = {_METRIC: list(dict.fromkeys(table["label"]))}
    bold: dict[str, list[bool]] = {_METRIC: [False] * len(metrics)}
    owners: dict[str, str] = {}
    for algorithm in algorithms:
        rows = table[table["algorithm"] == algorithm].to_dict("records")
        for title, cells in _columns(ALGORITHM_LABELS.get(algorithm, algorithm), rows, show):
            texts[title] = [text for text, _ in cells]
            bold[title] = [best for _, best in cells]
            owners[title] = algorithm
    st.caption("Choose a cell to see what it is made of, and what would fill it.")
    answer = st.dataframe(
        _styled(pd.DataFrame(texts), pd.DataFrame(bold)),
        key="results_grid",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-cell",
        selection_default=_linked(metrics, owners),
        height="content",
        column_config={_METRIC: st.column_config.TextColumn(pinned=True)},
        alt=_finding(table),
    )
    for row, heading in answer.selection.cells:
        if heading in owners:
            st.query_params[_LINK] = f"{metrics[row]}{_BETWEEN}{owners[heading]}"
            return metrics[row], owners[heading]
    if _LINK in st.query_params:
        del st.query_params[_LINK]
    return None


def _linked(metrics: list[str], owners: Mapping[str, str]) -> Any:
    """Return the selection that the URL asks for."""
    metric, _, algorithm = st.query_params.get(_LINK, "").partition(_BETWEEN)
    headings = [heading for heading, owner in owners.items() if owner == algorithm]
    if metric not in metrics or not headings:
        return None
    return {"selection": {"cells": [[metrics.index(metric), headings[0]]]}}


def _columns(label: str, rows: list[Row], show: str) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Return the columns of an algorithm: headings with texts and whether these are the best."""
    published = [
        (cell_text(row["published_mean"], row["published_std"]), bool(row["published_best"]))
        for row in rows
    ]
    if show == "published":
        return [(label, published)]
    columns = [(label, [(_measured(row), bool(row["best"])) for row in rows])]
    if show == "both":
        columns.append((f"{label} {_PUBLISHED}", published))
        differences = [(signed(row["difference"]), False) for row in rows]
        if any(text for text, _ in differences):
            columns.append((f"{_DIFFERENCE} {label}", differences))
    return columns


def _measured(row: Row) -> str:
    if pd.isna(row["mean"]):
        count = len(row["missing_seeds"])
        return f"{NO_RESULT} run {count} seed{'s' * (count != 1)}"
    few = f" ({row['seeds']} of {row['seeds'] + len(row['missing_seeds'])} seeds)"
    text = cell_text(row["mean"], row["std"]) + (MIXED if row["mixed"] else "")
    return text + (few if row["missing_seeds"] else "")


def signed(difference: float) -> str:
    """Return a difference with its sign, or nothing where there is none."""
    return "" if pd.isna(difference) else f"{difference:+.{DIGITS}f}".replace("-", "−")


def _styled(texts: pd.DataFrame, bold: pd.DataFrame) -> Styler:
    styles = bold.map(lambda best: _BEST if best else "")
    return texts.style.apply(lambda frame: styles, axis=None)


def _finding(table: pd.DataFrame) -> str:
    """Return what the table shows, in words."""
    done = table[table["seeds"] > 0]
    best = [
        f"{row['label']} is best with {ALGORITHM_LABELS.get(str(row['algorithm']))}"
        for row in done[done["best"]].to_dict("records")
    ]
    start = f"Results of {len(done)} of {len(table)} cells."
    return " ".join([start, *([f"{'; '.join(best)}."] if best else [])])
