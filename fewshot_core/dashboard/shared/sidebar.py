"""The sidebar: what is in view, the same on every page and in the URL.

Streamlit's own binding of a widget to the URL loses the value on the way from the first page to
another; these controls keep it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import streamlit as st

from fewshot_core.bench import KINDS, TableInfo, list_tables
from fewshot_core.dashboard.shared.page import DATA, PAGES, SPLIT, Workspace, link_to, show_empty
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    distinct_labels,
    list_splits,
    open_split,
)
from fewshot_core.datasets import DATASETS
from fewshot_core.glossary import GLOSSARY

T = TypeVar("T", str, float)


def recall(key: str, default: T, read: Callable[[str], T], valid: Callable[[T], bool]) -> None:
    """Set the value of a control before it is drawn: from the URL, or its last one.

    Args:
        key: The control's key and its name in the URL.
        default: Its first value, also used where the URL has one that is not valid.
        read: Reads a value from the URL's text; may raise ValueError.
        valid: Whether a value is possible now.
    """
    value = st.session_state.get(key, st.session_state.get(_last(key), default))
    text = st.query_params.get(key)
    if text is not None and text != st.session_state.get(_in_url(key)):
        try:
            value = read(text)
        except ValueError:
            value = default
    # Set on every run: a page that is opened later does not show what another page had.
    st.session_state[key] = value if valid(value) else default


def recall_option(key: str, options: Sequence[str], default: str | None = None) -> None:
    """Set the value of a control with options; by default the first of them."""
    recall(key, default or options[0], str, lambda value: value in options)


def publish(key: str, default: str | float) -> None:
    """Write the value of a control into the URL, unless it is the default."""
    value = st.session_state[key]
    st.session_state[_last(key)] = value
    text = None if value == default else str(value)
    st.session_state[_in_url(key)] = text
    if text is not None:
        st.query_params[key] = text
    elif key in st.query_params:
        del st.query_params[key]


def choose_option(
    control: Callable[..., Any],
    label: str,
    options: Sequence[str],
    key: str,
    default: str | None = None,
    **settings: Any,
) -> str:
    """Draw a control with options whose value is in the URL and the same on all pages.

    Args:
        control: Such as ``st.selectbox``.
        label: Its label.
        options: Its options; the first is chosen at first.
        key: Its key and its name in the URL.
        default: The value that is not written into the URL, if not the first option.
        settings: Further arguments of the control.
    """
    recall_option(key, options)
    chosen = control(label, options, key=key, **settings)
    publish(key, options[0] if default is None else default)
    return str(chosen)


def _last(key: str) -> str:
    return f"{key} on all pages"


def _in_url(key: str) -> str:
    return f"{key} in the URL"


@dataclass(frozen=True)
class View:
    """What is in view on every page.

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
        """The title of an axis of accuracy, with its unit."""
        return f"{self.kind} accuracy on {DATASETS.get(self.dataset).label}, %"

    @property
    def top_label(self) -> str:
        """The label of the top, such as "top 1%"."""
        return f"top {100 * self.threshold:.3g}%"


def choose_view(workspace: Workspace) -> View:
    """Draw the sidebar and return what is chosen there."""
    with st.sidebar:
        for page in PAGES:
            link_to(page)
        st.divider()
        dataset = choose_option(
            st.selectbox, "Data set", DATASETS.names(), "dataset", format_func=DATASETS.label
        )
        kind = choose_option(
            st.segmented_control,
            "Benchmark accuracy",
            KINDS,
            "accuracy",
            required=True,
            help=GLOSSARY["benchmark accuracy"],
        )
        table = _choose_table(workspace, dataset, kind)
        percent = _choose_top()
        split = _choose_split(workspace, dataset)
    return View(dataset, kind, table, round(percent / 100, 4), split)


def _choose_table(workspace: Workspace, dataset: str, kind: str) -> TableInfo | None:
    infos = {info.name: info for info in list_tables(workspace.data_dir)}
    found = {name: part for name, info in infos.items() if (part := info.find(dataset, kind))}
    if not found:
        label = DATASETS.get(dataset).label
        st.warning(f"No table has {kind} accuracies on {label}.", icon=":material/table_chart:")
        link_to(DATA, "Import a table")
        return None
    chosen = choose_option(
        st.selectbox, "Table", list(found), "table", format_func=lambda name: infos[name].label
    )
    if not found[chosen].complete:
        st.caption(f"Incomplete: {found[chosen].architectures:,} of 15,625 architectures.")
    return infos[chosen]


def _choose_top() -> float:
    low, high, default = 0.1, 10.0, 1.0
    recall("top", default, float, lambda value: low <= value <= high)
    chosen = st.slider(
        "Top",
        min_value=low,
        max_value=high,
        step=0.1,
        format="%.1f%%",
        key="top",
        help=GLOSSARY["top 1%"],
    )
    publish("top", default)
    return float(chosen)


def _choose_split(workspace: Workspace, dataset: str) -> SplitInView | None:
    labels = distinct_labels(list_splits(workspace, dataset))
    if not labels:
        st.selectbox("Split", ["none yet"], disabled=True, key="no_split")
        return None
    # Always in the URL: another split may be the first one tomorrow.
    chosen = choose_option(
        st.selectbox, "Split", list(labels), "split", default="", format_func=labels.__getitem__
    )
    split = replace(open_split(workspace, chosen), label=labels[chosen])
    parts = [*split.details]
    if split.demo:
        parts.insert(0, ":blue[demonstration, came with the project]")
    if split.synthetic:
        parts.append(":orange[synthetic images]")
    if split.ties:
        parts.append(f":orange[{split.ties} tied nodes]")
    st.caption("; ".join(parts))
    return split


def show_missing_split(view: View) -> None:
    """Say that no split of the data set is finished, and where to make one."""
    label = DATASETS.get(view.dataset).label
    show_empty(
        f"No split of {label} is finished yet. A split divides the 15,625 architectures into "
        "sub-spaces; this page will show what is in each of them.",
        SPLIT,
        "Make a split",
    )


def show_missing_table(view: View) -> None:
    """Say that no table has the accuracies in view, and where to import one."""
    label = DATASETS.get(view.dataset).label
    show_empty(
        f"No accuracy table has the {view.kind} accuracies of the architectures on {label}. "
        "Choose the other kind of accuracy in the sidebar, or import a table: a CSV file, a "
        "NATS-Bench folder or a NAS-Bench-201 file.",
        DATA,
        "Import a table",
    )
