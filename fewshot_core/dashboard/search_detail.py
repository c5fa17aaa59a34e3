"""One search of a plan in full: what it finds probable, and what it would return."""

from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.analysis import search_epochs
from fewshot_core.dashboard.figures import accuracy_source, show_figure, show_source
from fewshot_core.dashboard.links import publish, recall_option
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.search_plans import PlannedSearch, SearchPlan, records_of
from fewshot_core.dashboard.search_source import request_source
from fewshot_core.dashboard.views import View
from fewshot_core.errors import FewshotError
from fewshot_core.plots import (
    cell_figure,
    probabilities_figure,
    search_panels_figure,
    shared_accuracy_figure,
)
from fewshot_core.runs import command
from fewshot_core.search.shared import compare, correlation_text, read_shared
from fewshot_core.space import Architecture

_KEY = "sub_space"


def show_detail(
    workspace: Workspace,
    view: View,
    plan: SearchPlan,
    seed: int,
    accuracy: pd.DataFrame | None,
) -> None:
    """Show one search of a plan, chosen by its sub-space."""
    names = list(plan.place.spaces)
    recall_option(_KEY, names)
    name = st.segmented_control("Sub-supernet", names, required=True, key=_KEY)
    publish(_KEY, names[0])
    search = plan.find(str(name), seed)
    records = records_of(search.folder)
    st.subheader(f"{name}, seed {seed}")
    if not records:
        st.caption("No epoch of this search is done yet.")
        return
    end = search.request.options.epochs
    caption = ["made-up images"] if plan.synthetic else []
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = probabilities_figure(records, search.request.sub_space, end, caption)
        show_figure(figure, "probabilities")
    with right:
        _show_found(view, records[-1], accuracy)
    frame = search_epochs([(search.name, seed, records)], accuracy)
    panels = search_panels_figure(frame, end, caption)
    show_figure(panels, "search_panels")
    _show_source(view, plan, search, frame)
    _show_shared(view, search, accuracy, caption)


def _show_shared(
    view: View, search: PlannedSearch, accuracy: pd.DataFrame | None, caption: list[str]
) -> None:
    """Show how well the shared weights rank architectures, where that was measured."""
    try:
        shared = read_shared(search.folder.path)
    except FewshotError as error:
        st.error(str(error))
        return
    if shared is None:
        st.caption(
            "How well the shared weights of this search rank architectures is shown here after "
            f"`fewshot proxy {search.folder.run_id}`."
        )
        return
    if accuracy is None:
        return
    correlation, frame = compare(shared, accuracy)
    found = "fewer than two architectures are in the table"
    if correlation is not None:
        found = f"Kendall's tau {correlation_text(correlation.kendall)}"
    figure = shared_accuracy_figure(frame, found, view.axis_title, caption)
    show_figure(figure, "shared_accuracy")
    parts = [
        *accuracy_source(view),
        f"run {search.folder.run_id}",
        f"weights of epoch {shared.epoch}",
        f"{shared.images:,} held-out images",
        f"{len(shared.architectures)} architectures drawn with seed {shared.seed}",
    ]
    words = f"--sample {len(shared.architectures)} --seed {shared.seed} --accuracy {view.kind}"
    show_source(
        parts, f"fewshot proxy {search.folder.run_id} {words}", "shared_accuracy_source", frame
    )


def _show_found(view: View, record: dict[str, Any], accuracy: pd.DataFrame | None) -> None:
    """Draw the architecture that the search would return now, with what the table says of it."""
    architecture = Architecture.from_index(record["architecture_index"])
    title = f"Found by epoch {record['epoch']}"
    show_figure(cell_figure(architecture, title), "found_cell")
    st.code(architecture.to_string(), language=None, wrap_lines=True)
    st.metric(
        "Supernet's validation accuracy",
        f"{record['valid_accuracy']:.2f}%",
        help="Measured by the search: shared weights, held-out images.",
    )
    if accuracy is None or view.table is None:
        st.metric("Benchmark accuracy", "no table")
        return
    ranked = accuracy.assign(rank=accuracy["accuracy_mean"].rank(ascending=False, method="min"))
    row = ranked[ranked["architecture"] == architecture.index]
    known = not row.empty and not pd.isna(row["accuracy_mean"].iloc[0])
    st.metric(
        f"Benchmark {view.kind} accuracy",
        f"{row['accuracy_mean'].iloc[0]:.2f}%" if known else "not in the table",
        help=f"Of this architecture, trained by itself; table {view.table.label}.",
    )
    if known:
        st.caption(
            f"Rank {int(row['rank'].iloc[0]):,} of {int(accuracy['accuracy_mean'].count()):,} "
            f"by {view.kind} accuracy in the table {view.table.label}."
        )


def _show_source(view: View, plan: SearchPlan, search: PlannedSearch, frame: pd.DataFrame) -> None:
    parts = [
        *accuracy_source(view),
        f"run {search.folder.run_id}",
        f"seed {search.request.seed}",
        *request_source(search.request, plan.synthetic),
    ]
    show_source(parts, command(search.request), "search_detail_source", frame)
