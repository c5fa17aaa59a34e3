"""One cell of the results: what it is made of, what is missing, and starting that."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.analysis.published_results import ALGORITHM_LABELS, NO_SPLITTING
from fewshot_core.analysis.results_export import NO_RESULT, cell_text
from fewshot_core.dashboard.navigation import SEARCH, SPLIT, link_to
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.request_parts import choose_device, choose_source
from fewshot_core.dashboard.results_grid import signed
from fewshot_core.dashboard.search_options import choose_preset
from fewshot_core.dashboard.search_plans import Place, SearchPlan, make_plan, place_of
from fewshot_core.dashboard.search_start import show_start
from fewshot_core.dashboard.splits import list_splits, open_split
from fewshot_core.dashboard.views import View
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.images import find_source
from fewshot_core.metrics import METRICS
from fewshot_core.search import PRESETS, SearchRequest
from fewshot_core.space import SubSpace
from fewshot_core.store import KnownSplit

Row = Mapping[Hashable, Any]


def show_cell(
    workspace: Workspace,
    view: View,
    table: pd.DataFrame,
    chosen: tuple[str, str] | None,
    splits: list[KnownSplit],
) -> None:
    """Show a cell, if one is chosen."""
    if chosen is None:
        return
    metric, algorithm = chosen
    here = (table["metric"] == metric) & (table["algorithm"] == algorithm)
    row = table[here].to_dict("records")[0]
    st.subheader(f"{row['label']} with {ALGORITHM_LABELS.get(algorithm, algorithm)}")
    _show_numbers(row)
    if not row["missing"]:
        return
    st.markdown(f"**To be run**: {row['missing']}.")
    left, right = st.columns(2, gap="large")
    with left:
        place = _choose_place(workspace, view, metric, splits)
    if place is None:
        return
    with right:
        plan = _plan(workspace, view, algorithm, place, list(row["missing_seeds"]))
    with left:
        show_start(workspace, plan)
        link_to(SEARCH, "Watch searches", {"algorithm": ALGORITHM_LABELS.get(algorithm, algorithm)})


def _show_numbers(row: Row) -> None:
    measured, published, difference = st.columns(3)
    seeds = f", {row['seeds']} seed{'s' * (row['seeds'] != 1)}" if row["seeds"] else ""
    measured.metric(f"Measured{seeds}", cell_text(row["mean"], row["std"]))
    published.metric("Published", cell_text(row["published_mean"], row["published_std"]))
    difference.metric("Difference", signed(row["difference"]) or NO_RESULT)
    if row["mixed"]:
        st.warning(
            f"This mean mixes searches that are not alike (presets {row['presets']}), or different "
            "splits of this metric: choose one preset above.",
            icon=":material/blender:",
        )
    elif row["presets"]:
        st.caption(f"Preset: {row['presets']}")


def _choose_place(
    workspace: Workspace, view: View, metric: str, splits: list[KnownSplit]
) -> Place | None:
    """Choose which split of a metric to search in; None where there is none yet."""
    if metric == NO_SPLITTING:
        return place_of(None)
    keys = [split.key for split in splits if split.metric == metric]
    label = DATASETS.get(view.dataset).label
    if not keys:
        st.markdown(f"There is no split of {label} by {metric} yet.")
        if metric in METRICS.names():
            link_to(SPLIT, "Make this split", {"metric": METRICS.get(metric).label})
        return None
    labels = list_splits(workspace, view.dataset)
    chosen = st.selectbox(
        "Split",
        [key for key in keys if key in labels],
        key=f"results_split_{metric}",
        format_func=labels.__getitem__,
    )
    return place_of(open_split(workspace, chosen))


def _plan(
    workspace: Workspace, view: View, algorithm: str, place: Place, seeds: list[int]
) -> SearchPlan | None:
    """Choose how to search, and return what is to be started."""
    preset = choose_preset()
    images = choose_source(workspace, view.dataset)
    device = choose_device()
    rows = tuple(SubSpace.full().rows)
    options = PRESETS.get(preset).search
    try:
        request = SearchRequest(
            view.dataset, algorithm, rows, options, images=images, device=device
        )
        fingerprints = request.fingerprints(workspace.data_dir)
        synthetic = find_source(view.dataset, images, workspace.data_dir).synthetic
        return make_plan(request, place, seeds, fingerprints, synthetic, workspace.data_dir)
    except (FewshotError, OSError) as error:
        st.error(str(error))
        return None
