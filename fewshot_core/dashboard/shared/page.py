"""The frame of every page: settings, the store of the process, navigation, empty states."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from fewshot_core.bench.storage import tables_changed
from fewshot_core.data_folder import data_dir, demo_dir
from fewshot_core.errors import FewshotError, StoreError
from fewshot_core.runs.folder import last_change
from fewshot_core.runs.overview import RunSummary, summarise
from fewshot_core.store import Store


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


APP_NAME = "Few-shot NAS workbench"

LOOK_SECONDS = 1.0
"""How long all sessions share what one of them has seen of the data folder."""


# The page begins near the top, and numbers in tiles are no larger than headings. On a phone, what
# cannot be drawn so narrow is moved sideways. The empty element keeps the style the first of
# the page: alone it would come last, when all is drawn, and move everything.
_STYLE = """<i hidden></i><style>
[data-testid="stElementContainer"]:has(> [data-testid="stHtml"] > i[hidden]) {display: none}
[data-testid="stMainBlockContainer"] {padding: 2.6rem 3rem 4rem}
[data-testid="stMetricValue"] {font-size: 1.5rem}
[data-testid="stSidebarUserContent"] hr {margin: 0.4rem 0}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] {padding: 2.6rem 1.2rem 4rem}
  [class*="st-key-wide_"] {overflow-x: auto}
  [class*="st-key-wide_"] > * {min-width: 560px}
  [class*="st-key-wide_"] * {touch-action: pan-x pan-y !important}
}
</style>"""


@dataclass(frozen=True)
class Workspace:
    """The data folder that the app shows.

    Attributes:
        data_dir: Where it is.
        store: What it holds.
    """

    data_dir: Path
    store: Store

    def runs(self) -> list[RunSummary]:
        """Return a summary of every run, as ``summarise`` does; it is shared, do not alter it.

        What has begun or ended is in it at once, progress after ``LOOK_SECONDS`` at the latest.
        """
        return _look(self, self.data_dir, last_change(self.data_dir), tables_changed(self.data_dir))


def setup(title: str) -> Workspace:
    """Begin a page; it may be called on every run of its script.

    What keeps the app from working is said on the page, which then stops. A run or a
    table that cannot be read is named, and the rest goes on.
    """
    heading = APP_NAME if title == APP_NAME else f"{title} - {APP_NAME}"
    st.set_page_config(page_title=heading, page_icon=":material/account_tree:", layout="wide")
    st.html(_STYLE)
    try:
        workspace = Workspace(data_dir(), _open_store(data_dir()))
        workspace.runs()
    except (FewshotError, OSError) as error:
        st.title(title)
        st.error(str(error), icon=":material/error:")
        if not isinstance(error, StoreError):
            st.write("`fewshot doctor` looks at the installation and at the data folder.")
        st.stop()
    if problems := list(workspace.store.problems.values()):
        more = f" (and {len(problems) - 1} more: see *Runs and data*)" if problems[1:] else ""
        st.warning(f"{problems[0]}{more}", icon=":material/warning:")
    return workspace


@st.cache_resource(show_spinner="Opening the data folder")
def _open_store(folder: Path) -> Store:
    return Store(folder, demo=demo_dir())


@st.cache_resource(show_spinner=False, ttl=LOOK_SECONDS, max_entries=4)
def _look(_workspace: Workspace, folder: Path, last_change: int, tables: int) -> list[RunSummary]:
    """Take in what is new in the data folder, and look at its runs."""
    _workspace.store.sync()
    return summarise(folder, _workspace.store.problems)
