"""The state of a selection at one epoch."""

import numpy as np
import pandas as pd
import streamlit as st

from fewshot_core.dashboard.curve_sources import CurvesInView
from fewshot_core.dashboard.halving_figures import lead_rows
from fewshot_core.selection import Curves, HalvingResult


def choose_cursor(curves: Curves, end: int) -> int:
    """Choose the epoch at which the replay stands, step by step."""
    first = int(curves.epochs[0])
    held = st.session_state.get("epoch")
    if held is not None and not first <= held <= end:
        del st.session_state["epoch"]
    chosen = st.number_input(
        "Epoch",
        min_value=first,
        max_value=end,
        value=first,
        key="epoch",
        bind="query-params",
        width=180,
        help="Where the replay stands. Play, pause and scrub under the figure; step here.",
    )
    return int(chosen)


def show_epoch(curves: CurvesInView, seed: int, result: HalvingResult, epoch: int) -> None:
    """Write who leads at an epoch, who is still there, and what each would find."""
    table = curves.tables[seed]
    at = int(np.searchsorted(table.epochs, epoch))
    if at == len(table.epochs) or table.epochs[at] != epoch:
        st.caption(f"Nothing was recorded at epoch {epoch}.")
        return
    lead = lead_rows(curves, curves.stamp, seed)
    leader = lead[lead["epoch"] == epoch]["sub_space"].tolist()
    rows = pd.DataFrame(
        {
            "sub-space": table.sub_spaces,
            "validation": table.values["valid_accuracy"][:, at],
            "would find": table.values["test_accuracy"][:, at],
            "state": [_state(result, name, epoch, name in leader) for name in table.sub_spaces],
        }
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            "sub-space": st.column_config.TextColumn(width=70),
            "validation": number(
                format="%.2f%%", width=75, help="The supernet's validation accuracy"
            ),
            "would find": number(
                format="%.2f%%", width=75, help="Accuracy of the architecture it would return"
            ),
            "state": st.column_config.TextColumn(
                help="The one with the best validation accuracy of the epoch leads"
            ),
        },
        alt=f"The sub-supernets at epoch {epoch}",
    )


def _state(result: HalvingResult, name: str, epoch: int, leads: bool) -> str:
    state = _part(result, name, epoch)
    if not leads:
        return state
    trained = result.winner is None or result.trained.get(name, -1) >= epoch
    return f"{state}, {'leads' if trained else 'would lead'}"


def _part(result: HalvingResult, name: str, epoch: int) -> str:
    """Return which part a sub-supernet has in a selection at an epoch."""
    last = result.trained.get(name)
    if result.winner is None:
        return "as likely as the others"
    if last is None:
        return "not trained"
    if name == result.winner:
        return "chosen" if epoch >= result.end else "goes on"
    if last >= epoch:
        gone = "discarded here" if last == epoch and last < result.end else "goes on"
        return gone if epoch < result.end else "not chosen"
    return f"discarded at {last}"
