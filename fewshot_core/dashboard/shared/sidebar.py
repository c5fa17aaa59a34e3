"""The sidebar: what is looked at, the same on every page and in the URL.

Streamlit's own binding of a widget to the URL forgets a choice on the way from the first page to
another; these do not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from fewshot_core.bench import KINDS, TableInfo, list_tables
from fewshot_core.dashboard.shared.page import (
    DATA,
    SPLIT,
    Page,
    Workspace,
    link_to,
    show_navigation,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    labelled,
    list_splits,
    open_split,
    shortened,
)
from fewshot_core.datasets import DATASETS

T = TypeVar("T", str, float)


def recall(key: str, default: T, read: Callable[[str], T], valid: Callable[[T], bool]) -> None:
    """Set what a control will show, before it is drawn: what the URL says, or what it was.

    Args:
        key: The control's key and its name in the URL.
        default: What it shows first, or when what is asked for does not exist.
        read: Makes a value of a text of the URL; may raise ValueError.
        valid: Whether a value can be shown now.
    """
    value = st.session_state.get(key, st.session_state.get(_kept(key), default))
    text = st.query_params.get(key)
    if text is not None and text != st.session_state.get(_written(key)):
        try:
            value = read(text)
        except ValueError:
            value = default
    # Set on every run: a page that is opened anew does not show what another page had chosen.
    st.session_state[key] = value if valid(value) else default


def recall_option(key: str, options: Sequence[str], default: str | None = None) -> None:
    """Set what a control with options will show; by default the first of them."""
    recall(key, default or options[0], str, lambda value: value in options)


def publish(key: str, default: str | float) -> None:
    """Write what a control shows into the URL, or nothing where that is the default."""
    value = st.session_state[key]
    st.session_state[_kept(key)] = value
    text = None if value == default else str(value)
    st.session_state[_written(key)] = text
    if text is not None:
        st.query_params[key] = text
    elif key in st.query_params:
        del st.query_params[key]


def _kept(key: str) -> str:
    return f"{key} on all pages"


def _written(key: str) -> str:
    return f"{key} in the URL"


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


def show_empty(text: str, page: Page, label: str) -> None:
    """Say what this place would show, with the one link that fills it."""
    with st.container(border=True):
        st.markdown(text)
        link_to(page, label)


def show_missing_split(view: View) -> None:
    """Say that no split of the data set is finished, and where to make one."""
    label = DATASETS.get(view.dataset).label
    show_empty(
        f"No split of {label} is finished yet. A split divides the 15,625 architectures into "
        "sub-spaces, and here you will see what is inside each of them.",
        SPLIT,
        "Make a split",
    )


def show_missing_table(view: View) -> None:
    """Say that no table has the accuracies in view, and where to import one."""
    label = DATASETS.get(view.dataset).label
    show_empty(
        f"No accuracy table has the {view.kind} accuracies of the architectures on {label}. "
        "Choose the other kind of accuracy at the left, or import a table: a CSV file, a "
        "NATS-Bench folder or a NAS-Bench-201 file.",
        DATA,
        "Import a table",
    )
