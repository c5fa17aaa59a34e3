"""The frame of every page: settings, the store of the process, navigation, empty states."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from fewshot_core.bench.storage import tables_changed
from fewshot_core.dashboard.shared.controls import plain
from fewshot_core.data_folder import data_dir, demo_dir, folder_problem
from fewshot_core.errors import FewshotError, StoreError, describe
from fewshot_core.runs import RunFolder, is_active
from fewshot_core.runs.folder import last_change
from fewshot_core.runs.overview import RunSummary
from fewshot_core.store import Store


@dataclass(frozen=True)
class Page:
    """A page: its script, its name and its icon."""

    path: str
    label: str
    icon: str


HOME = Page("app.py", "Home", ":material/home:")
SPLIT = Page("pages/1_Split.py", "Split", ":material/account_tree:")
DISTRIBUTIONS = Page("pages/2_Distributions.py", "Distributions", ":material/area_chart:")
COMPARE = Page("pages/3_Compare.py", "Compare", ":material/compare_arrows:")
SEARCH = Page("pages/4_Search.py", "Search", ":material/manage_search:")
HALVING = Page("pages/5_Halving.py", "Halving", ":material/content_cut:")
ESTIMATES = Page("pages/9_Estimates.py", "Estimates", ":material/query_stats:")
RESULTS = Page("pages/6_Results.py", "Results", ":material/leaderboard:")
RUNS = Page("pages/7_Runs.py", "Runs", ":material/list_alt:")
DATA = Page("pages/8_Data.py", "Data", ":material/database:")
ABOUT = Page("pages/10_About.py", "About", ":material/help:")
PAGES = HOME, SPLIT, DISTRIBUTIONS, COMPARE, SEARCH, HALVING, ESTIMATES, RESULTS, RUNS, DATA, ABOUT


APP_NAME = "Few-shot NAS workbench"
_FILES = files("fewshot_core.dashboard")
ICON = _FILES.joinpath("icon.svg").read_text(encoding="utf-8")
"""Icon of every page, an SVG; Streamlit would load a Material symbol from another host."""
STYLE = f"<i hidden></i><style>{_FILES.joinpath('style.css').read_text(encoding='utf-8')}</style>"

REFRESH_SECONDS = 1.0
"""How long all sessions share one reading of the data folder, at least."""

REFRESH_SHARE = 5
"""And at least so many times as long as it took, which counts with thousands of runs."""


NEW_SPLIT, NEW_SEARCH, NEW_ESTIMATE = {"new": "split"}, {"new": "search"}, {"new": "estimate"}
"""The queries that open the form of the Split, of the Search and of the Estimates page."""

IMPORTANCE = {"show": "Importance"}
"""The query that opens the importance of edges on the Distributions page."""

WATCHED = "watched_run"
"""Session key: the split that the Split page waits for."""

SHARED = "parameters of all pages"
"""Session key: the parameters of the URL that links to other pages carry on."""


def link_to(page: Page, label: str | None = None, query: Mapping[str, str] | None = None) -> None:
    """Draw a link to a page with what is in view, or what a query selects.

    Only its name is drawn where a page runs by itself.
    """
    text = label or page.label
    try:
        st.page_link(page.path, label=text, icon=page.icon, query_params=_parameters(query))
    except StreamlitPageNotFoundError:
        st.markdown(f"{page.icon} {text}")


def open_on(page: Page, query: Mapping[str, str]) -> NoReturn:
    """Open a page as its link would; not in a callback."""
    st.switch_page(page.path, query_params=_parameters(query))


def open_form(query: Mapping[str, str]) -> None:
    """Open a form of this page by its query: a callback."""
    st.query_params.update(query)


def show_title(title: str, label: str, query: Mapping[str, str]) -> None:
    """Draw the title of a page beside the button that opens its form."""
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.title(title)
    settings: Any = {"icon": ":material/add:", "type": "primary", "width": "stretch"}
    right.button(label, f"new_{query['new']}", on_click=open_form, args=(query,), **settings)


def form_is_open(query: Mapping[str, str]) -> bool:
    """Return whether the URL opens a form."""
    return query.items() <= st.query_params.to_dict().items()


def close_forms() -> None:
    """Close the open form, if any: a callback."""
    st.query_params.pop("new", None)


def _parameters(query: Mapping[str, str] | None) -> dict[str, str]:
    shared: dict[str, str] = dict(st.session_state.get(SHARED, {}))
    if query and query.get("space", shared.get("space")) != shared.get("space"):
        shared = {}  # all of it is of another search space
    if query and query.get("dataset") not in (None, shared.get("dataset")):
        shared.pop("split", None)  # it is of another data set
    return shared | dict(query or {})


def show_empty(text: str, page: Page, label: str, query: Mapping[str, str] | None = None) -> None:
    """Say what this place would show, with the one link that fills it."""
    with st.container(border=True):
        st.markdown(text)
        link_to(page, label, query)


@dataclass(frozen=True)
class Workspace:
    """The data folder that the app shows, and the store on top of it."""

    data_dir: Path
    store: Store

    def runs(self) -> list[RunSummary]:
        """Summarise every run, demonstration runs last; the list must not be changed.

        Runs that started or ended are in it at once, progress after ``REFRESH_SECONDS``.
        """
        return _readings(self.data_dir).read(self)

    def active_runs(self, kind: str) -> list[RunFolder]:
        """Return the folders of the runs of a kind that are queued or running now."""
        runs = [run.folder for run in self.runs() if run.active and run.kind == kind]
        return [folder for folder in runs if is_active(folder)]


def setup(title: str) -> Workspace:
    """Begin a page; a script calls it first, on every run.

    An error that keeps the app from working is shown, and the page stops. Runs and tables that
    cannot be read are named, and the rest goes on.
    """
    heading = APP_NAME if title == APP_NAME else f"{title} - {APP_NAME}"
    st.set_page_config(page_title=heading, page_icon=ICON, layout="wide")
    st.html(STYLE)
    try:
        workspace = Workspace(data_dir(), _open_store(data_dir()))
        problem = folder_problem(workspace.data_dir)  # opening a store makes it
        if problem and not workspace.data_dir.is_dir():
            raise StoreError(problem)
        workspace.runs()
    except (FewshotError, OSError) as error:
        st.title(title)
        st.error(plain(describe(error)), icon=":material/error:")
        if not isinstance(error, StoreError):
            st.write("Run `fewshot doctor` to check the installation and the data folder.")
        st.stop()
    if workspace.store.note:
        st.toast(plain(workspace.store.note), icon=":material/restart_alt:", duration="long")
        workspace.store.note = ""
    if problem:
        st.warning(plain(problem), icon=":material/warning:")
    if problems := list(workspace.store.problems.values()):
        more = f" (and {len(problems) - 1} more: see *Runs*)" if problems[1:] else ""
        st.warning(f"{plain(problems[0])}{more}", icon=":material/warning:")
    return workspace


def show_failure(error: Exception) -> bool:
    """Show a failure that can be expected anywhere in a page; report whether it was one."""
    if not isinstance(error, (FewshotError, OSError)):
        return False
    text = folder_problem(data_dir()) or describe(error)
    st.error(plain(text), icon=":material/error:")
    return True


@st.cache_resource(show_spinner="Opening the data folder", max_entries=8)
def _open_store(folder: Path) -> Store:
    return Store(folder, demo=demo_dir(), fallback=True)


class _Readings:
    """The last reading of a data folder, which all sessions share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = (-1, -1)
        self._due = 0.0

    def read(self, workspace: Workspace) -> list[RunSummary]:
        """Read what is new, if it is time to, and summarise the runs."""
        folder, store = workspace.data_dir, workspace.store
        with self._lock:
            start = time.monotonic()
            changes = last_change(folder), tables_changed(folder)
            if changes != self._changes or start >= self._due:
                store.sync()
                now = time.monotonic()
                self._changes = changes
                self._due = now + max(REFRESH_SECONDS, REFRESH_SHARE * (now - start))
            return store.runs


@st.cache_resource(show_spinner=False, max_entries=8)
def _readings(folder: Path) -> _Readings:
    return _Readings()
