"""The frame of every page: settings, the store of the process, navigation, what is running."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from fewshot_core.bench.storage import tables_changed
from fewshot_core.dashboard.shared.controls import counted, notify, plain, show_notices
from fewshot_core.dashboard.shared.splits import dataset_label
from fewshot_core.data_folder import data_dir, demo_dir, folder_problem
from fewshot_core.errors import FewshotError, StoreError, describe
from fewshot_core.runs import (
    KINDS,
    EstimateRequest,
    ProxyRequest,
    Request,
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    find_finished,
    is_active,
    start,
)
from fewshot_core.runs.estimate import duration_text, total_left
from fewshot_core.runs.folder import last_change
from fewshot_core.runs.overview import RunSummary
from fewshot_core.search.records import RECORDS
from fewshot_core.space import SubSpace
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

ACTIVITY_SECONDS = 2.0

_OPEN, _LISTED, _ENDED = "runs that are open", "runs shown as active", "runs that ended"
_ENDED_SECONDS = 300.0
"""How long a run that ended is linked in the sidebar."""
_MOST = 3

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

    def start(self, requests: Iterable[Request]) -> list[RunFolder]:
        """Start runs, whose end will be said on the page, however soon it comes."""
        folders, new = [], []
        for request in requests:
            known = find_finished(request, self.data_dir) is not None
            folders.append(start(request, self.data_dir))
            new += [] if known else [folders[-1].run_id]
        st.session_state[_OPEN] = [*st.session_state.get(_OPEN, []), *new]
        return folders


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


def show_activity(workspace: Workspace) -> None:
    """Show how many runs are active, and say which have ended since the page was drawn last."""
    active = _active(workspace)
    _note_ended(workspace, active)
    show_notices()
    st.session_state[_LISTED] = [run.run_id for run in active]
    if active:
        st.fragment(_show_running, run_every=ACTIVITY_SECONDS)(workspace)
    _link_ended(workspace)


def _active(workspace: Workspace) -> list[RunSummary]:
    return [run for run in workspace.runs() if run.active and is_active(run.folder)]


def _show_running(workspace: Workspace) -> None:
    """Draw the number of active runs and the time left, and the whole page when one ends."""
    active = _active(workspace)
    if [run.run_id for run in active] != st.session_state[_LISTED]:
        st.rerun()
    left = _left_text(workspace, active)
    with st.container(key="running"):
        text = f"Running ({len(active)}){left}"
        link_to(Page(RUNS.path, text, ":material/progress_activity:"))


def _left_text(workspace: Workspace, active: Sequence[RunSummary]) -> str:
    """Return the time that active runs will take, as far as it is known."""
    try:
        runs = [
            (run.request, run.folder.status(), _epochs(run.folder)) for run in active if run.request
        ]
        seconds = total_left(workspace.data_dir, runs)
    except (FewshotError, OSError):
        return ""
    return "" if seconds is None else f", {duration_text(seconds)} left"


def _epochs(folder: RunFolder) -> int:
    return max(0, len(folder.records()) - 1) if (folder.path / RECORDS).exists() else 0


def _note_ended(workspace: Workspace, active: Sequence[RunSummary]) -> None:
    """Say which runs ended; those of a plan are counted together when all of them have."""
    known: list[str] = st.session_state.get(_OPEN, [])
    now = {run.run_id: run for run in workspace.runs()} if known else {}
    names = {run.run_id for run in active}
    ended = [now[name] for name in dict.fromkeys(known) if name in now and name not in names]
    searching = {run.request.dataset for run in active if isinstance(run.request, SearchRequest)}
    waiting = [
        run
        for run in ended
        if isinstance(run.request, SearchRequest) and run.request.dataset in searching
    ]
    ended = [run for run in ended if run not in waiting and run.request is not None]
    st.session_state[_OPEN] = [*(run.run_id for run in waiting), *names]
    searches = [run for run in ended if isinstance(run.request, SearchRequest)]
    if len(searches) > 1:
        counts = {state: sum(run.state == state for run in searches) for state in State}
        parts = [f"{count} {state.value}" for state, count in counts.items() if count]
        notify(f"{counted(len(searches), 'search', 'searches')} ended: {', '.join(parts)}")
        ended = [run for run in ended if run not in searches]
    for run in ended:
        done = run.state == State.DONE.value
        notify(_text(run), ":material/check:" if done else ":material/warning:")
    times: dict[str, float] = st.session_state.setdefault(_ENDED, {})
    times.update(dict.fromkeys((run.run_id for run in [*searches[-1:], *ended]), time.time()))


def _text(run: RunSummary) -> str:
    name = run_name(run)
    if run.state == State.DONE.value:
        return f"{name}: done" + (f" in {duration_text(run.seconds)}" if run.seconds else "")
    if run.state == State.CANCELLED.value:
        return f"{name} was cancelled"
    return f"{name}: {run.state}, {plain(run.message)}"


def run_name(run: RunSummary) -> str:
    """Name a run by its kind, its method and its data set, in Markdown."""
    if run.request is None:
        return plain(run.run_id)
    label = dataset_label(run.request)
    return plain(f"{KINDS.label(run.request.kind)} {run.request.method_label} on {label}")


def _link_ended(workspace: Workspace) -> None:
    times: dict[str, float] = st.session_state[_ENDED]
    recent = [name for name, at in times.items() if time.time() - at < _ENDED_SECONDS][-_MOST:]
    now = {run.run_id: run for run in workspace.runs()} if recent else {}
    for run in filter(None, map(now.get, recent)):
        if place := page_of(workspace, run):
            page, query = place
            link_to(page, f"{run_name(run)}: {run.state}", query)


def page_of(workspace: Workspace, run: RunSummary) -> tuple[Page, dict[str, str]] | None:
    """Return the page that shows a run, with the query that selects it; None for a damaged one."""
    request, status = run.request, run.status
    if request is None or status is None:
        return None
    query = {"space": request.space, "dataset": request.dataset}
    if isinstance(request, SplitRequest):
        if status.state is State.DONE and run.problem is None:
            query["split"] = run.run_id
        return SPLIT, query
    if isinstance(request, EstimateRequest):
        return ESTIMATES, query | {"estimates": f"{run.run_id}:{request.column}"}
    if isinstance(request, ProxyRequest):
        measured = next((one for one in workspace.runs() if one.run_id == request.run), None)
        page, found = (measured and page_of(workspace, measured)) or (SEARCH, query)
        return page, found | {"search_tab": "Proxy quality"}
    if isinstance(request, SearchRequest):
        query["plan"] = request.group
        if request.rows == tuple(SubSpace.full(request.sub_space.space).rows):
            query["where"] = "whole"
        elif split := workspace.store.split_with(request.dataset, request.sub_space):
            query["split"] = split
    return SEARCH, query
