"""What a page says when there is nothing to show."""

import streamlit as st

from fewshot_core.dashboard.navigation import DATA, SPLIT, Page, link_to
from fewshot_core.dashboard.views import View
from fewshot_core.datasets import DATASETS


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
