"""The home page: what is here, and what to do next."""

from collections import Counter
from typing import Any

import streamlit as st

from fewshot_core.dashboard.shared.figures import show_figure, show_split_source
from fewshot_core.dashboard.shared.informativeness import (
    named,
    show_informativeness,
    show_splits_source,
    some_of_each,
)
from fewshot_core.dashboard.shared.loading import finding, load_evaluator
from fewshot_core.dashboard.shared.page import COMPARE, HALVING, SPLIT, Workspace, link_to
from fewshot_core.dashboard.shared.sidebar import View, show_empty
from fewshot_core.dashboard.shared.splits import list_splits, open_splits
from fewshot_core.dashboard.shared.trees import draw_split
from fewshot_core.datasets import DATASETS
from fewshot_core.doctor import examine

WAYS = {SPLIT: "Explore a split", COMPARE: "Compare metrics", HALVING: "Replay a schedule"}
"""The ways in."""

MOST_OF_EACH = 6
"""How many splits by one metric are shown."""


def show_home(workspace: Workspace, view: View) -> None:
    """Show how much each metric tells, the ways in, and the state of things."""
    _show_hero(workspace, view)
    for column, (page, label) in zip(st.columns(len(WAYS)), WAYS.items(), strict=True):
        with column, st.container(border=True, height="stretch"):
            link_to(page, f"**{label}**")
            st.caption(page.description)
    _show_status(examine(workspace.data_dir, Counter(run.state for run in workspace.runs())))


def _show_hero(workspace: Workspace, view: View) -> None:
    dataset = DATASETS.get(view.dataset).label
    if view.split is None:
        show_empty(
            f"**No split of {dataset} is finished yet.** Make one: `#params` takes seconds and "
            "needs no images; `gradnorm` and `gradientmatching` look at a batch of them.",
            SPLIT,
            "Make the first split",
        )
        return
    evaluator = load_evaluator(workspace, view)
    if evaluator is None:
        st.subheader(f"The split in view: {view.split.name} on {dataset}")
        show_figure(draw_split(view.split, None), "home_tree", wide=True)
        show_split_source(view.split, "home_source")
        return
    labels = list_splits(workspace, view.dataset)
    first = open_splits(workspace, some_of_each(labels))
    splits = open_splits(workspace, some_of_each(labels, MOST_OF_EACH))
    which = ", the first split of each metric" if len(splits) > len(first) else ""
    st.markdown(f"**On {dataset}**{which}: {finding(named(first), evaluator)}")
    show_informativeness(view, evaluator, splits, "home_standing", by_metric=True)
    show_splits_source(view, splits, "home_source")


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
