"""The sidebar: what is looked at, the same on every page and in the URL."""

from dataclasses import dataclass

import streamlit as st

from fewshot_core.bench import KINDS, TableInfo, list_tables
from fewshot_core.dashboard.links import publish, recall, recall_option
from fewshot_core.dashboard.navigation import DATA, link_to, show_navigation
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.splits import (
    SplitInView,
    labelled,
    list_splits,
    open_split,
    shortened,
)
from fewshot_core.datasets import DATASETS


@dataclass(frozen=True)
class View:
    """What a reader has chosen to look at.

    Attributes:
        dataset: The data set.
        kind: The kind of benchmark accuracy, validation or test.
        table: The table it is from, or None where no table has it.
        threshold: The share that counts as top.
        split: The split, or None where none is finished for the data set.
    """

    dataset: str
    kind: str
    table: TableInfo | None
    threshold: float
    split: SplitInView | None

    @property
    def axis_title(self) -> str:
        """What accuracies in figures are, with their unit."""
        return f"{self.kind} accuracy on {DATASETS.get(self.dataset).label}, %"

    @property
    def top_label(self) -> str:
        """How the top is called: "top 1%"."""
        return f"top {100 * self.threshold:.3g}%"


def choose_view(workspace: Workspace) -> View:
    """Draw the sidebar and return what is chosen there."""
    with st.sidebar:
        show_navigation()
        st.divider()
        dataset = _choose_dataset()
        kind = _choose_kind()
        table = _choose_table(workspace, dataset, kind)
        percent = _choose_top()
        split = _choose_split(workspace, dataset)
    return View(dataset, kind, table, round(percent / 100, 4), split)


def _choose_dataset() -> str:
    names = DATASETS.names()
    recall_option("dataset", names)
    chosen = st.selectbox(
        "Data set",
        names,
        key="dataset",
        format_func=lambda name: DATASETS.get(name).label,
    )
    publish("dataset", names[0])
    return chosen


def _choose_kind() -> str:
    recall_option("accuracy", KINDS)
    chosen = st.segmented_control(
        "Benchmark accuracy",
        KINDS,
        required=True,
        key="accuracy",
        help="What a table says of an architecture, trained by itself. Validation and test "
        "accuracies are on different scales and are never mixed.",
    )
    publish("accuracy", KINDS[0])
    return str(chosen)


def _choose_top() -> float:
    low, high, usual = 0.1, 10.0, 1.0
    recall("top", usual, float, lambda value: low <= value <= high)
    chosen = st.slider(
        "Top",
        min_value=low,
        max_value=high,
        step=0.1,
        format="%.1f%%",
        key="top",
        help="The architectures at or above the accuracy of this rank count as top.",
    )
    publish("top", usual)
    return float(chosen)


def _choose_table(workspace: Workspace, dataset: str, kind: str) -> TableInfo | None:
    infos = {info.name: info for info in list_tables(workspace.data_dir)}
    names = [name for name, info in infos.items() if info.find(dataset, kind)]
    if not names:
        label = DATASETS.get(dataset).label
        st.warning(f"No table has {kind} accuracies on {label}.", icon=":material/table_chart:")
        link_to(DATA, "Import a table")
        return None
    recall_option("table", names)
    chosen = st.selectbox(
        "Table",
        names,
        key="table",
        format_func=lambda name: infos[name].label,
    )
    publish("table", names[0])
    found = infos[chosen].find(dataset, kind)
    if found is not None and not found.complete:
        st.caption(f"Incomplete: {found.architectures:,} of 15,625 architectures.")
    return infos[chosen]


def _choose_split(workspace: Workspace, dataset: str) -> SplitInView | None:
    labels = list_splits(workspace, dataset)
    if not labels:
        st.selectbox("Split", ["none yet"], disabled=True, key="no_split")
        return None
    recall_option("split", list(labels))
    short = shortened(labels)
    chosen = st.selectbox("Split", list(labels), key="split", format_func=short.__getitem__)
    publish("split", "")
    split = labelled(open_split(workspace, chosen), short[chosen])
    parts = list(split.details)
    if split.demo:
        parts.insert(0, ":blue[demonstration, came with the project]")
    if split.synthetic:
        parts.append(":orange[made-up images]")
    if split.arbitrary:
        parts.append(f":orange[{split.arbitrary} nodes decided arbitrarily]")
    st.caption("; ".join(parts))
    return split
