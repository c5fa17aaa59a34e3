"""The table of a split's sub-spaces."""

from typing import Any

import pandas as pd
import streamlit as st

_PERCENT = {"best": "best %", "mean": "mean %", "median": "median %"}
_SHOWN = 12


def sub_space_table(described: pd.DataFrame) -> pd.DataFrame:
    """Return what ``describe_sub_spaces`` says, in the form in which it is shown."""
    return pd.DataFrame(
        {
            "sub-space": described["sub_space"],
            "size": described["size"],
            "top": described["top_count"],
            "of the top": 100 * described["top_share"],
            "share": 100 * described["share"],
            "enrichment": described["enrichment"],
            **{label: described[name] for name, label in _PERCENT.items()},
            "best rank": described["best_rank"],
        }
    )


def show_sub_spaces(
    described: pd.DataFrame, top_label: str, key: str, link: str | None = None
) -> int | None:
    """Draw the table; return the position of the chosen row, or None.

    Args:
        described: What ``describe_sub_spaces`` returns.
        top_label: How the top is called.
        key: The table's key.
        link: The name of the chosen sub-space in the URL, or None where it is not to stand there.
    """
    table = sub_space_table(described)
    number = st.column_config.NumberColumn
    answer = st.dataframe(
        table,
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default=_linked_selection(described, link),
        height="content" if len(table) <= _SHOWN else 38 + 35 * _SHOWN,
        placeholder="-",
        column_config={
            "sub-space": st.column_config.TextColumn(width=70),
            "size": number(format="localized", width=60, help="Architectures in the sub-space"),
            "share": number(format="%.1f%%", help="Share of all 15,625 architectures"),
            "top": number(label=top_label, width=60, help=f"Architectures of the {top_label}"),
            "of the top": st.column_config.ProgressColumn(
                format="%.1f%%",
                width=130,
                min_value=0,
                max_value=max(1.0, float(table["of the top"].max(skipna=True) or 0.0)),
                help=f"Share of the {top_label} that is in here",
            ),
            "enrichment": number(
                format="%.2f", help="Share of the top over share of the space; 1 is chance"
            ),
            **{label: number(format="%.2f") for label in _PERCENT.values()},
            "best rank": number(format="localized", help="Rank of its best in the whole space"),
        },
        alt=f"{len(table)} sub-spaces with their sizes, their part of the {top_label} and their "
        "accuracies",
    )
    rows = answer.selection.rows
    chosen = int(rows[0]) if rows else None
    if link is not None and chosen is not None:
        st.query_params[link] = str(described["sub_space"].iloc[chosen])
    elif link is not None and link in st.query_params:
        del st.query_params[link]
    return chosen


def _linked_selection(described: pd.DataFrame, link: str | None) -> Any:
    """Return the selection that the URL asks for."""
    wanted = st.query_params.get(link) if link else None
    rows = [row for row, name in enumerate(described["sub_space"]) if name == wanted]
    return {"selection": {"rows": rows}}
