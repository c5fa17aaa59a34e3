"""What a comparison of splits shows, in one sentence written from its numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fewshot_core.errors import TableError

_SAME = 1e-12
"""Gains that differ by less than this, in bits, are the same."""

_VERDICTS = {
    "more": ("tells more than most random trees", "tell more than most random trees"),
    "middle": ("is in the middle of the random trees", "are in the middle of the random trees"),
    "less": ("tells less than most random trees", "tell less than most random trees"),
    "unknown": (
        "has a shape of its own, without random trees to compare with",
        "have shapes of their own, without random trees to compare with",
    ),
}


def conclusion(reports: pd.DataFrame) -> str:
    """Say which splits tell where the top is, beside the best tree and beside chance.

    A split is said to tell more, or less, than most random trees only where all of the confidence
    interval of its percentile is above 50, or below.

    Args:
        reports: What ``report_frame`` returns, one row for each split; with a column dataset where
            splits on several data sets are compared.

    Returns:
        One sentence in plain English; with several data sets, one for each of them. Splits keep
        their names.

    Raises:
        TableError: If splits of different thresholds are compared: each has another top.
    """
    if reports.empty:
        return "There are no splits to compare."
    if reports["threshold"].nunique() != 1:
        known = ", ".join(_percent(share) for share in reports["threshold"].unique())
        raise TableError(f"expected splits with the same top to compare, got the top {known}")
    if "dataset" not in reports:
        return _sentence(reports, "")
    groups = reports.groupby("dataset", sort=False)
    return " ".join(_sentence(of, f"on {dataset}, ") for dataset, of in groups)


def _sentence(reports: pd.DataFrame, place: str) -> str:
    ranked = reports.sort_values("gain_bits", ascending=False, kind="stable", ignore_index=True)
    top = f"where the top {_percent(float(ranked['threshold'].iloc[0]))} lies"
    first = float(ranked["gain_bits"].iloc[0])
    if first <= _SAME:
        nothing = "the split tells nothing" if len(ranked) == 1 else "none of the splits tells"
        anything = "" if len(ranked) == 1 else " anything"
        return _capital(f"{place}{nothing}{anything} about {top}.")
    leading = ranked["gain_bits"] >= first - _SAME
    leaders, others = ranked[leading], ranked[~leading]
    clauses = [f"{place}{_lead(leaders, len(ranked), top)}"]
    verdicts = others.apply(_verdict, axis=1) if len(others) else pd.Series(dtype=object)
    for name, (singular, plural) in _VERDICTS.items():
        of = others[verdicts == name]
        if len(of):
            listed = [f"{row['split']} ({row['gain_bits']:.4f})" for _, row in of.iterrows()]
            clauses.append(f"{_listing(listed)} {singular if len(of) == 1 else plural}")
    return _capital("; ".join(clauses) + ".")


def _lead(leaders: pd.DataFrame, count: int, top: str) -> str:
    """Return what is said of the splits with the largest gain."""
    names, gain = _listing(list(leaders["split"])), f"{leaders['gain_bits'].iloc[0]:.4f} bits"
    if count == 1:
        return f"{names} tells {gain} about {top}{_standing(leaders)}"
    if len(leaders) == count:
        who = "both splits" if count == 2 else f"all {count} splits"
        return f"{who} tell the same about {top}: {gain} each{_standing(leaders)}"
    verb, each = ("tells", "") if len(leaders) == 1 else ("tell", " each")
    most = f"{names} {verb} the most about {top}"
    return f"of {count} splits, {most}: {gain}{each}{_standing(leaders)}"


def _standing(leaders: pd.DataFrame) -> str:
    """Return where the leaders stand among trees; nothing where they stand in several places."""
    row = leaders.iloc[0]
    standings = leaders[["share_of_best", "percentile"]].drop_duplicates()
    if len(standings) > 1:
        return ""
    if pd.isna(row["percentile"]):
        return ", in a shape of its own" if len(leaders) == 1 else ""
    share = "" if pd.isna(row["share_of_best"]) else f", {_share(float(row['share_of_best']))}"
    return f"{share}, {_among(row)}"


def _share(share: float) -> str:
    """Return a share of the best tree, never rounded up to all of it."""
    if share >= 1 - 1e-9:
        return "as much as the best tree of this shape"
    if share > 0.995:
        return "over 99% of the best tree of this shape"
    return f"{share:.0%} of the best tree of this shape"


def _among(row: "pd.Series[float]") -> str:
    """Return a place among random trees, never rounded to beyond all of them."""
    trees = f"{int(row['random_trees']):,} random trees"
    percentile = float(row["percentile"])
    if percentile >= 100:
        return f"above all of {trees}"
    if percentile <= 0:
        return f"below all of {trees}"
    return f"at percentile {np.clip(percentile, 0.1, 99.9):.1f} of {trees}"


def _verdict(row: "pd.Series[float]") -> str:
    if pd.isna(row["percentile"]):
        return "unknown"
    if row["percentile_low"] > 50:
        return "more"
    return "less" if row["percentile_high"] < 50 else "middle"


def _listing(names: Sequence[str]) -> str:
    """Return names joined by commas and an "and"."""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _percent(share: float) -> str:
    return f"{100 * share:g}%"


def _capital(sentence: str) -> str:
    """Return a sentence that starts with a capital where it starts with a word of its own."""
    own = ("of ", "on ", "all ", "both ", "none ", "the split ")
    return sentence[0].upper() + sentence[1:] if sentence.startswith(own) else sentence
