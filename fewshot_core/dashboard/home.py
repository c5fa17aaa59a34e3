"""The home page: what is here, and what to do next."""

from typing import Any

import streamlit as st

from fewshot_core.dashboard.figures import show_figure, show_view_source
from fewshot_core.dashboard.loading import describe, load_accuracy
from fewshot_core.dashboard.navigation import HOME, PAGES, SPLIT, link_to
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.states import show_empty
from fewshot_core.dashboard.trees import draw_tree
from fewshot_core.dashboard.views import View
from fewshot_core.datasets import DATASETS
from fewshot_core.doctor import examine
from fewshot_core.metrics import METRICS
from fewshot_core.plots import tree_figure


def show_home(workspace: Workspace, view: View) -> None:
    """Show the latest split of the data set in view, the ways in, and the state of things."""
    _show_hero(workspace, view)
    ways = [page for page in PAGES if page is not HOME]
    for column, page in zip(st.columns(len(ways)), ways, strict=True):
        with column, st.container(border=True, height="stretch"):
            link_to(page, f"**{page.label}**")
            st.caption(page.description)
    _show_status(examine(workspace.data_dir))


def _show_hero(workspace: Workspace, view: View) -> None:
    dataset = DATASETS.get(view.dataset).label
    if view.split is None:
        show_empty(
            f"**No split of {dataset} is finished yet.** `#params` takes seconds and needs no "
            "images; `gradnorm` and `gradientmatching` look at a batch of them.",
            SPLIT,
            "Make the first split",
        )
        return
    label = METRICS.get(view.split.tree.metric).label
    st.subheader(f"The split in view: {label} on {dataset}")
    described = None
    if view.table is not None:
        accuracy = load_accuracy(workspace, view)
        described = describe(view.split.tree, accuracy, view.threshold)
    show_figure(tree_figure(draw_tree(view.split.tree, described)), "home_tree")
    show_view_source(view, "home_source")


def _show_status(found: dict[str, Any]) -> None:
    """Write the slim row of what is here, and what keeps the workbench from working."""
    tables, images, device, runs = st.columns(4)
    names = [item["label"] for item in found["tables"]]
    tables.metric("Accuracy tables", len(names), help=", ".join(names))
    real = [
        DATASETS.get(name).label
        for name, sources in found["images"].items()
        if any(not source["synthetic"] for source in sources)
    ]
    images.metric("Real images", ", ".join(real) or "none yet")
    device.metric("Device", found["devices"][0].upper())
    counts = found["runs"]
    runs.metric(
        "Runs",
        sum(counts.values()),
        help=", ".join(f"{count} {state}" for state, count in counts.items()) or "none yet",
    )
    for problem in found["problems"]:
        st.warning(problem, icon=":material/warning:")
