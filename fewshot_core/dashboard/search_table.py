"""The table of a plan's searches: how far each is, and what it has found."""

from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.search_plans import PlannedSearch, SearchPlan, records_of
from fewshot_core.dashboard.search_start import cost, count_text, state_word
from fewshot_core.dashboard.views import View
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError

_SHOWN = 12


def show_table(
    workspace: Workspace, view: View, plan: SearchPlan, accuracy: pd.DataFrame | None
) -> None:
    """List the searches with how far they are and what they have found."""
    known = None if accuracy is None else accuracy.set_index("architecture")["accuracy_mean"]
    rows = [_row(workspace, search, known) for search in plan.searches]
    seed = ["seed"] if len(plan.seeds) > 1 else []
    st.dataframe(
        pd.DataFrame(rows),
        key="searches",
        hide_index=True,
        placeholder="-",
        column_order=["sub-space", *seed, "state", "epochs", "found", "supernet", "left", "size"],
        height="content" if len(rows) <= _SHOWN else 38 + 35 * _SHOWN,
        column_config={
            "sub-space": st.column_config.TextColumn(width=75),
            "seed": st.column_config.NumberColumn(format="%d", width=50),
            "size": st.column_config.NumberColumn(format="localized", width=60),
            "state": st.column_config.TextColumn(width=75),
            "epochs": st.column_config.ProgressColumn(
                format="%d", min_value=0, max_value=plan.request.options.epochs, width=105
            ),
            "left": st.column_config.TextColumn(width=55),
            "supernet": st.column_config.NumberColumn(
                "supernet %",
                format="%.2f",
                width=80,
                help="The supernet's validation accuracy",
            ),
            "found": st.column_config.NumberColumn(
                "found %",
                format="%.2f",
                width=70,
                help=f"Benchmark {view.kind} accuracy of what is found",
            ),
        },
        alt=f"{len(rows)} searches: {count_text(plan)}",
    )


def _row(workspace: Workspace, search: PlannedSearch, known: Any) -> dict[str, Any]:
    records = records_of(search.folder)
    last = records[-1] if records else None
    index = None if last is None else last["architecture_index"]
    return {
        "sub-space": search.name,
        "seed": search.request.seed,
        "size": search.request.sub_space.size,
        "state": state_word(search),
        "epochs": last["epoch"] if last else 0,
        "left": _left_text(workspace, search),
        "supernet": last["valid_accuracy"] if last else None,
        "found": None if known is None or index is None else known.get(index),
    }


def _left_text(workspace: Workspace, search: PlannedSearch) -> str:
    if not search.is_active():
        return ""
    try:
        seconds = cost(workspace, [search])
    except (FewshotError, OSError):
        return ""
    return "" if seconds is None else duration_text(seconds)
