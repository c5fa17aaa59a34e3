"""The pages of the app, in the order in which they are offered."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        path: Its script.
        label: Its name.
        icon: Its sign.
        description: What one does there.
    """

    path: str
    label: str
    icon: str
    description: str


HOME = Page("app.py", "Home", ":material/home:", "What is here, and what to do next.")
SPLIT = Page(
    "pages/1_Split.py",
    "Split",
    ":material/account_tree:",
    "Let a metric sort the operations of the supernet, edge by edge, and watch the tree grow.",
)
DISTRIBUTIONS = Page(
    "pages/2_Distributions.py",
    "Distributions",
    ":material/area_chart:",
    "See which accuracies lie in each sub-space, and where the best architectures are.",
)
COMPARE = Page(
    "pages/3_Compare.py",
    "Compare",
    ":material/compare_arrows:",
    "Put metrics side by side, between chance and the best split there can be.",
)
SEARCH = Page(
    "pages/4_Search.py",
    "Search",
    ":material/manage_search:",
    "Run a one-shot search in every sub-space, and watch what each would find.",
)
HALVING = Page(
    "pages/5_Halving.py",
    "Halving",
    ":material/content_cut:",
    "Replay a schedule: which sub-supernet it would have chosen, and what it would have lost.",
)
RESULTS = Page(
    "pages/6_Results.py",
    "Results",
    ":material/leaderboard:",
    "See what searches found, metric by algorithm, beside what the paper reports.",
)
DATA = Page(
    "pages/9_Runs_and_data.py",
    "Runs and data",
    ":material/database:",
    "Import accuracy tables, add images, and see, cancel or delete runs.",
)
PAGES = (HOME, SPLIT, DISTRIBUTIONS, COMPARE, SEARCH, HALVING, RESULTS, DATA)


def show_navigation() -> None:
    """Draw the links to all pages."""
    for page in PAGES:
        link_to(page)


def link_to(page: Page, label: str | None = None, query: Mapping[str, str] | None = None) -> None:
    """Draw a link to a page; only its name where a page's script is run by itself.

    Args:
        page: The page.
        label: What the link says instead of the page's name.
        query: What its URL says, such as ``{"split": run}``.
    """
    try:
        st.page_link(
            page.path,
            label=label or page.label,
            icon=page.icon,
            query_params=None if query is None else dict(query),
        )
    except StreamlitPageNotFoundError:
        st.markdown(f"{page.icon} {label or page.label}")
