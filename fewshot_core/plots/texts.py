"""What figures of distributions say in words: hover texts, notes and text alternatives."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from fewshot_core.analysis.distributions import WHOLE

Row = Mapping[Hashable, Any]


def hover_text(row: Row) -> str:
    """Return the text of a sub-space, a row of ``describe_sub_spaces``."""
    lines = [f"<b>{row['sub_space']}</b>: {row['size']:,} architectures, {row['share']:.1%} of all"]
    if row["known"] < row["size"]:
        lines.append(f"accuracy known for {row['known']:,} of them")
    if not pd.isna(row["top_share"]):
        lines.append(f"{row['top_count']:,} of the top ({row['top_share']:.1%})")
    if not pd.isna(row["best"]):
        lines.append(f"best {row['best']:.2f}%, mean {row['mean']:.2f}%")
    return "<br>".join(lines)


def whole_text(frame: pd.DataFrame) -> str:
    """Return the hover text of the whole space, from a frame of distributions."""
    return f"<b>whole space</b>: {_first_known(frame):,} architectures with an accuracy"


def cut_notes(frame: pd.DataFrame, sub_spaces: pd.DataFrame) -> list[str]:
    """Return what is not drawn: architectures outside the axis and those without accuracy."""
    whole = frame[frame["sub_space"] == WHOLE]
    parts = [
        f"{int(whole[side].iloc[0]):,} architectures {side} {limit}%"
        for side, limit in zip(("below", "above"), _limit_texts(whole), strict=True)
        if int(whole[side].iloc[0])
    ]
    notes = [f"not shown: {' and '.join(parts)} (of {_first_known(whole):,})"] if parts else []
    known, size = int(sub_spaces["known"].sum()), int(sub_spaces["size"].sum())
    if known < size:
        notes.append(f"accuracy known for {known:,} of {size:,}")
    return notes


def axis_limits(whole: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the axis of accuracy, in percent; bins reach beyond their middles."""
    accuracy = whole["accuracy"].to_numpy()
    half = (accuracy[1] - accuracy[0]) / 2 if "count" in whole else 0.0
    return float(accuracy[0] - half), float(accuracy[-1] + half)


def distributions_alternative(sub_spaces: pd.DataFrame, axis_title: str) -> str:
    """Return which sub-spaces are best and worst on average."""
    known = sub_spaces.dropna(subset=["mean"])
    if known.empty:
        return f"{axis_title}: no accuracy is known"
    best = known.iloc[int(known["mean"].to_numpy().argmax())]
    worst = known.iloc[int(known["mean"].to_numpy().argmin())]
    return (
        f"Distribution of {axis_title} in {len(sub_spaces)} sub-spaces. {best['sub_space']} has "
        f"the highest mean, {best['mean']:.2f}%, and {worst['sub_space']} the lowest, "
        f"{worst['mean']:.2f}%."
    )


def top_alternative(sub_spaces: pd.DataFrame) -> str:
    """Return which sub-space holds most of the best architectures, and how many hold any."""
    counts = sub_spaces["top_count"].to_numpy()
    if not counts.sum():
        return "No sub-space is known to hold one of the best architectures."
    first = sub_spaces.iloc[int(counts.argmax())]
    return (
        f"{first['sub_space']} holds {int(first['top_count'])} of the {int(counts.sum())} best "
        f"architectures; {int((counts > 0).sum())} of {len(sub_spaces)} sub-spaces hold at least "
        "one."
    )


def number_text(value: float | None) -> str:
    """Return a score or a similarity as a short text."""
    if value is None:
        return "no score"
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    if not 0.001 <= abs(value) < 1e7:
        return f"{value:.3g}"
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def compact_text(value: float) -> str:
    """Return a number in a few characters, for a cell of a matrix: "-243k"."""
    if not 1000 <= abs(value) < 1e15:
        plain = value == 0 or not math.isfinite(value)
        return number_text(value) if plain else f"{value:.3g}"
    power = int(math.log10(abs(value))) // 3
    return f"{value / 1000**power:.3g}{' kMGT'[power]}"


def _first_known(frame: pd.DataFrame) -> int:
    return int(frame["known"].iloc[0])


def _limit_texts(whole: pd.DataFrame) -> tuple[str, str]:
    low, high = axis_limits(whole)
    return f"{low:.2f}", f"{high:.2f}"
