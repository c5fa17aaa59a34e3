"""The sidebar: what is in view, the same on every page and in the URL.

Streamlit's own binding of a widget to the URL loses the value on the way from the first page to
another; these controls keep it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import streamlit as st

from fewshot_core.bench import KINDS, TableInfo, list_tables
from fewshot_core.dashboard.shared.controls import labels_of
from fewshot_core.dashboard.shared.page import (
    DATA,
    PAGES,
    SPLIT,
    Workspace,
    link_to,
    setup,
    show_empty,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    distinct_labels,
    list_splits,
    open_split,
)
from fewshot_core.datasets import DATASETS
from fewshot_core.glossary import GLOSSARY

T = TypeVar("T", str, int, float)


def keep_in_url(
    draw: Callable[[], Any],
    key: str,
    first: T,
    read: Callable[[str], T],
    valid: Callable[[T], bool],
    unwritten: T | None = None,
) -> T:
    """Draw a control whose value is in the URL and the same on all pages.

    It has the value of the URL, else its last one; ``first``, where that is none or not valid now.
    ``read`` makes a value of the URL's text and may raise ValueError; the value ``unwritten`` is
    not written there.
    """
    last, written = f"{key} on all pages", f"{key} in the URL"
    value = st.session_state.get(key, st.session_state.get(last, first))
    text = st.query_params.get(key)
    if text is not None and text != st.session_state.get(written):
        try:
            value = read(text)
        except ValueError:
            value = first
    # Set on every run: a page that is opened later does not show what another page had.
    st.session_state[key] = value if valid(value) else first
    draw()
    chosen: T = st.session_state[key]
    text = None if chosen == unwritten else str(chosen)
    st.session_state[last], st.session_state[written] = chosen, text
    if text is not None:
        st.query_params[key] = text
    elif key in st.query_params:
        del st.query_params[key]
    return chosen


def choose_option(
    control: Callable[..., Any],
    label: str,
    labels: Mapping[str, str],
    key: str,
    first: str | None = None,
    unwritten: str | None = None,
    **settings: Any,
) -> str:
    """Choose one by its label with a control such as ``st.selectbox``; see ``keep_in_url``.

    The first one is chosen at first and not written into the URL, if nothing else is said.
    """
    options = list(labels)
    settings |= {"key": key, "format_func": labels.__getitem__}
    return keep_in_url(
        lambda: control(label, options, **settings),
        key,
        first or options[0],
        str,
        lambda value: value in options,
        options[0] if unwritten is None else unwritten,
    )


@dataclass(frozen=True)
class View:
    """What is in view on every page: ``kind`` is that of the benchmark accuracy.

    There is no table where none has such accuracies, and no split where none is finished.
    """

    workspace: Workspace
    dataset: str
    kind: str
    table: TableInfo | None
    threshold: float
    split: SplitInView | None

    @property
    def axis_title(self) -> str:
        """The title of an axis of accuracy, with its unit."""
        return f"{self.kind} accuracy on {DATASETS.label(self.dataset)}, %"

    @property
    def top_label(self) -> str:
        """The label of the top, such as "top 1%"."""
        return f"top {100 * self.threshold:.3g}%"


def open_page(title: str) -> View:
    """Begin a page with its sidebar and its title; a script calls it first, on every run."""
    view = choose_view(setup(title))
    st.title(title)
    return view


def choose_view(workspace: Workspace) -> View:
    """Draw the sidebar and return what is chosen there."""
    with st.sidebar:
        for page in PAGES:
            link_to(page)
        st.divider()
        dataset = choose_option(st.selectbox, "Data set", labels_of(DATASETS), "dataset")
        kinds = {name: name for name in KINDS}
        settings: Any = {"required": True, "help": GLOSSARY["benchmark accuracy"]}
        kind = choose_option(
            st.segmented_control, "Benchmark accuracy", kinds, "accuracy", **settings
        )
        table = _choose_table(workspace, dataset, kind)
        percent = _choose_top()
        split = _choose_split(workspace, dataset)
    return View(workspace, dataset, kind, table, round(percent / 100, 4), split)


def _choose_table(workspace: Workspace, dataset: str, kind: str) -> TableInfo | None:
    infos = {info.name: info for info in list_tables(workspace.data_dir)}
    found = {name: part for name, info in infos.items() if (part := info.find(dataset, kind))}
    if not found:
        label = DATASETS.label(dataset)
        st.warning(f"No table has {kind} accuracies on {label}.", icon=":material/table_chart:")
        link_to(DATA, "Import a table")
        return None
    labels = {name: infos[name].label for name in found}
    chosen = choose_option(st.selectbox, "Table", labels, "table")
    if not found[chosen].complete:
        st.caption(f"Incomplete: {found[chosen].architectures:,} of 15,625 architectures.")
    return infos[chosen]


def _choose_top() -> float:
    low, high, first = 0.1, 10.0, 1.0
    settings: Any = {"step": 0.1, "format": "%.1f%%", "key": "top", "help": GLOSSARY["top 1%"]}
    return keep_in_url(
        lambda: st.slider("Top", low, high, **settings),
        "top",
        first,
        float,
        lambda value: low <= value <= high,
        first,
    )


def _choose_split(workspace: Workspace, dataset: str) -> SplitInView | None:
    labels = distinct_labels(list_splits(workspace.store, dataset))
    if not labels:
        st.selectbox("Split", ["none yet"], disabled=True, key="no_split")
        return None
    # Always in the URL: another split may be the first one tomorrow.
    chosen = choose_option(st.selectbox, "Split", labels, "split", unwritten="")
    split = replace(open_split(workspace.store, chosen), label=labels[chosen])
    parts = [":blue[demonstration, came with the project]"] if split.demo else []
    parts += split.details
    if split.synthetic:
        parts.append(":orange[synthetic images]")
    if split.ties:
        parts.append(f":orange[{split.ties} tied nodes]")
    st.caption("; ".join(parts))
    return split


def show_missing_split(view: View) -> None:
    """Say that no split of the data set is finished, and where to make one."""
    label = DATASETS.label(view.dataset)
    show_empty(
        f"No split of {label} is finished yet. A split divides the 15,625 architectures into "
        "sub-spaces; this page will show what is in each of them.",
        SPLIT,
        "Make a split",
    )


def show_missing_table(view: View) -> None:
    """Say that no table has the accuracies in view, and where to import one."""
    label = DATASETS.label(view.dataset)
    show_empty(
        f"No accuracy table has the {view.kind} accuracies of the architectures on {label}. "
        "Choose the other kind of accuracy in the sidebar, or import a table: a CSV file, a "
        "NATS-Bench folder or a NAS-Bench-201 file.",
        DATA,
        "Import a table",
    )
