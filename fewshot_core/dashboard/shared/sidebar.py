"""The sidebar: what is in view, the same on every page and in the URL.

Streamlit's own binding of a widget to the URL loses the value on the way from the first page to
another; these controls keep it.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import ceil, floor, isfinite, log10
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from streamlit.column_config import DatetimeColumn, TextColumn
from streamlit.runtime.scriptrunner import get_script_run_ctx

from fewshot_core.analysis import CostLimit, information_gain, load_cost
from fewshot_core.bench import TableColumn, TableInfo, list_columns, list_tables
from fewshot_core.dashboard.shared.activity import show_activity
from fewshot_core.dashboard.shared.controls import (
    counted,
    numbers,
    plain,
    selected_rows,
    show_columns,
)
from fewshot_core.dashboard.shared.page import (
    DATA,
    NEW_SPLIT,
    PAGES,
    SHARED,
    SPLIT,
    Workspace,
    link_to,
    setup,
    show_empty,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    distinct_labels,
    imported_splits,
    list_splits,
    open_split,
    open_splits,
    split_table,
)
from fewshot_core.errors import FewshotError, TableError
from fewshot_core.glossary import GLOSSARY
from fewshot_core.networks import has_supernet, supernet_exists
from fewshot_core.space import (
    NAS_BENCH_201,
    Part,
    SearchSpace,
    Task,
    get_space,
    list_spaces,
)

T = TypeVar("T", str, int, float, list[str])

Source = tuple[TableInfo, TableColumn]
"""A column of costs or estimates with its table."""

_COLLECTED = "changes of the URL"
_PAGE = "page of the steady control"
_PICKING = "picking a split"
_SPACE_SEEN = "search space in view"
_OF_SPACE = (
    *("dataset", "accuracy", "table", "split", "splits", "evidence", "protocol", "curves", "plan"),
    *("weights", "sub_space", "seed", "node", "architecture", "edges", "depth", "cell"),
    *("estimates", "against", "cost", "at_most", "cost_shown"),
)
"""Keys of what is chosen within a search space, and means nothing in another one."""
_SHOWN = 100
"""How much of a name in a URL is shown."""


def is_restored() -> bool:
    """Whether this run was started by the browser's Back or Forward."""
    context = get_script_run_ctx()
    return context is not None and bool(getattr(context, "is_history_navigation", False))


def keep_in_url(
    draw: Callable[[], Any],
    key: str,
    first: T,
    read: Callable[[str], T],
    valid: Callable[[T], bool],
    unwritten: T | None = None,
    write: Callable[[T], str] = str,
    steady: Hashable = False,
) -> T:
    """Draw a control whose value is in the URL and the same on all pages.

    It has the value of the URL, else its last one; ``first``, where that is none or not valid now.
    After Back or Forward only the URL counts. ``read`` makes a value of the URL's text and may
    raise ValueError, ``write`` the text of a value; the value ``unwritten`` is not written there.
    A steady control has the same settings as long as ``steady`` is the same, and no link changes
    its value: what is changed in it during a run is not lost.
    """
    value = st.session_state.get(key, st.session_state.get(_last(key), first))
    text = st.query_params.get(key)
    # A steady one that changed again before the browser got the URL is newer than the URL.
    if is_restored() or (is_new(key) and not (steady and _last(key) in st.session_state)):
        try:
            value = first if text is None else read(text)
        except ValueError:
            value = first
    value = value if valid(value) else first
    context = get_script_run_ctx()
    page, drawn = f"{_PAGE} {key}", (context.page_script_hash if context else None, steady)
    # Set on every run: a control of other options, or of another page, does not keep a value.
    if not (steady and st.session_state.get(key) == value and st.session_state.get(page) == drawn):
        st.session_state[key] = value
    if steady:
        st.session_state[page] = drawn
    draw()
    chosen: T = st.session_state[key]
    st.session_state[_last(key)] = chosen
    publish({key: None if chosen == unwritten else write(chosen)})
    return chosen


def is_new(key: str) -> bool:
    """Whether the URL has a value that the page did not write there."""
    text = st.query_params.get(key)
    return text is not None and text != st.session_state.get(_written(key))


def _last(key: str) -> str:
    return f"{key} on all pages"


def _written(key: str) -> str:
    return f"{key} in the URL"


def publish(values: Mapping[str, str | None]) -> None:
    """Write values into the URL, or remove those that are None."""
    collected = st.session_state.get(_COLLECTED)
    if collected is not None:
        collected.update(values)
        return
    st.session_state.update({_written(key): text for key, text in values.items()})
    removed = [key for key, text in values.items() if text is None and key in st.query_params]
    changed = {
        key: text
        for key, text in values.items()
        if text is not None and st.query_params.get_all(key) != [text]
    }
    for key in removed:
        if changed and (context := get_script_run_ctx()) is not None:
            # Without a message to the browser, which would make another entry of its history.
            with context.session_state.query_params() as parameters:
                parameters.discard_param_no_forward_msg(key)
        else:
            del st.query_params[key]
    if changed:
        st.query_params.update(changed)


@contextmanager
def in_one_step() -> Iterator[None]:
    """Write into the URL at the end, so that it is one entry of the browser's history."""
    collected: dict[str, str | None] = {}
    st.session_state[_COLLECTED] = collected
    try:
        yield
    finally:
        del st.session_state[_COLLECTED]
    publish(collected)


def choose_several(
    label: str,
    labels: Mapping[str, str],
    key: str,
    first: list[str],
    most: int,
    known: Collection[str],
) -> list[str]:
    """Choose some runs by their labels; their names are in the URL, unless they are the first.

    What the URL names and is not among those that are ``known`` is said on the page.
    """
    if is_restored() or is_new(key):
        wanted = filter(None, st.query_params.get(key, "").split(","))
        show_missing([name for name in wanted if name not in known])
    settings: Any = {"key": key, "max_selections": most, "format_func": labels.__getitem__}
    chosen = keep_in_url(
        lambda: st.multiselect(label, list(labels), **settings),
        key,
        first,
        lambda text: [name for name in text.split(",") if name in labels][:most],
        lambda names: set(names) <= set(labels),
        first,
        ",".join,
    )
    if chosen == first:  # there may be other first ones when the page is opened again
        del st.session_state[_last(key)]
    return chosen


def find_missing(key: str, labels: Mapping[str, str], among: str = "") -> str | None:
    """Return the name of a run in the URL that is not here, until another one is chosen.

    It stays so as long as the runs are chosen ``among`` the same ones.
    """
    state = f"{key} that is missing"
    if is_restored() or is_new(key):
        wanted = st.query_params.get(key)
    else:
        wanted = st.session_state.get(key, st.session_state.get(_last(key)))
        if st.session_state.get(state) != (among, wanted):
            wanted = None
    missing = None if wanted in labels else wanted
    st.session_state[state] = (among, missing)
    return missing


def with_missing(labels: Mapping[str, str], missing: str | None) -> dict[str, str]:
    """Return labels with one for a run that is missing, if any."""
    return ({} if missing is None else {missing: f"{missing[:_SHOWN]} is not here"}) | dict(labels)


def show_missing(names: Sequence[str], others: int = 0) -> None:
    """Say that runs which a link names are not here, if any, and how many others are."""
    if not names:
        return
    which = "This run is" if len(names) == 1 else "These runs are"
    instead = f" {counted(others, 'other one is', 'others are')} here to choose from." * bool(
        others
    )
    st.warning(
        f"{which} not in this data folder. It may have been deleted, or made elsewhere.{instead}",
        icon=":material/link_off:",
    )
    st.code("\n".join(name[:_SHOWN] for name in names), language=None)


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
    """What is in view on every page, all in one space: ``kind`` is that of the benchmark accuracy.

    There is no table where none has such accuracies, or none within the ``limit`` of the cost, and
    no split where none is finished, or where the URL names one that is ``missing``.
    """

    workspace: Workspace
    space: SearchSpace
    dataset: str
    kind: str
    table: TableInfo | None
    threshold: float
    split: SplitInView | None
    missing: str | None = None
    limit: CostLimit | None = None

    @property
    def task(self) -> Task:
        """The data set in view, with the unit of its scores."""
        return self.space.dataset(self.dataset)

    @property
    def scores(self) -> str:
        """What the scores in view are: "validation accuracy on CIFAR-10"."""
        return f"{self.kind} {self.task.score} on {self.task.label}"

    @property
    def has_supernet(self) -> bool:
        """Whether there are a supernet and images, so that metrics and searches work."""
        return has_supernet(self.space, self.dataset)

    @property
    def axis_title(self) -> str:
        """The title of an axis of scores, with their unit."""
        return f"{self.scores}, {self.task.stored_unit}"

    def repeat(self, command: str, option: str = "--dataset") -> str:
        """Return a command on the data set in view, with the space where it must be named."""
        space = "" if self.space == NAS_BENCH_201 else f" --space {self.space.name}"
        return f"{command}{space} {option} {self.dataset}"

    def allowed(self) -> npt.NDArray[np.bool_] | None:
        """Mark the architectures within the limit of the cost; None without a limit."""
        if self.limit is None:
            return None
        return self.limit.allowed(self.dataset, self.workspace.data_dir, self.space)

    @property
    def top_label(self) -> str:
        """The label of the top, such as "top 1%", with the limit of the cost."""
        limit = f" with {self.limit}" if self.limit else ""
        return f"top {100 * self.threshold:.3g}%{limit}"


def load_accuracy(view: View, dataset: str | None = None) -> pd.DataFrame:
    """Return the accuracies in view, or those of another data set; there must be a table.

    They are of the architectures within the limit of the cost. May raise TableError.
    """
    if view.table is None:
        raise ValueError("expected a table in view")
    where = view.workspace, view.table, dataset or view.dataset, view.kind, view.limit
    return read_accuracy(*where)


@st.cache_resource(show_spinner=False, max_entries=24)
def read_accuracy(
    _workspace: Workspace, table: TableInfo, dataset: str, kind: str, limit: CostLimit | None = None
) -> pd.DataFrame:
    """Read the accuracies of a table once for all sessions; they must not be changed.

    With a limit, of the architectures within it: those are all that counts on the pages. Raises
    TableError where there are none, or the table is damaged.
    """
    found = _workspace.store.accuracy(table.name, dataset, kind)
    if limit is None:
        return found
    space = get_space(table.space, _workspace.data_dir)
    return limit.restrict(found, dataset, _workspace.data_dir, space)


@st.cache_resource(show_spinner=False, max_entries=24)
def read_cost(_workspace: Workspace, table: TableInfo, column: str, dataset: str) -> pd.DataFrame:
    """Read a cost of a table once for all sessions; see ``load_cost``."""
    space = get_space(table.space, _workspace.data_dir)
    return load_cost(table.name, column, dataset, _workspace.data_dir, space)


def open_page(title: str) -> View:
    """Begin a page with its sidebar and its title; a script calls it first, on every run."""
    view = choose_view(setup(title))
    st.title(title)
    return apply_limit(view)


def apply_limit(view: View) -> View:
    """Say that there is a limit of the cost; leave the table out where nothing is within it."""
    if view.limit is None:
        return view
    text, icon = plain(str(view.limit)), ":material/filter_alt:"
    try:
        within = len(load_accuracy(view))
    except TableError as error:
        reason = plain(str(error))
        st.warning(f"{reason[:1].upper()}{reason[1:]}.", icon=icon)
        return replace(view, table=None)
    st.caption(f"{icon} Only architectures with {text} count: {within:,} of {view.space.size:,}.")
    return view


def choose_view(workspace: Workspace) -> View:
    """Draw the sidebar and return what is chosen there."""
    with st.sidebar, in_one_step():
        links, activity = st.container(), st.container()
        st.divider()
        _adopt_data_set(workspace)
        space, no_space = _choose_space(workspace)
        labels = {task.name: task.label for task in space.datasets}
        # Always in the URL, as the split is: a link then means the same everywhere.
        dataset = choose_option(st.selectbox, "Data set", labels, "dataset", unwritten="")
        kind = _choose_kind(space.dataset(dataset))
        table = _choose_table(workspace, space, dataset, kind)
        percent = _choose_top()
        limit = None if table is None else _choose_limit(workspace, space, dataset)
        splits = distinct_labels(list_splits(workspace.store, dataset, space.name))
        missing = find_missing("split", splits, f"{space.name} {dataset}")
        split = _choose_split(workspace, with_missing(splits, missing), missing)
        shared = st.session_state[_COLLECTED]
        st.session_state[SHARED] = {key: text for key, text in shared.items() if text is not None}
    with links:
        for page in PAGES:
            link_to(page)
    with activity:
        show_activity(workspace)
    if no_space is not None:
        text = f"There is no search space {no_space[:_SHOWN]} in this data folder: "
        st.warning(plain(f"{text}{space.label} is shown."), icon=":material/link_off:")
    missing = None if split else missing
    if missing is not None:
        _show_missing_split(splits, missing)
    shown = dataset, kind, table, round(percent / 100, 4), split, missing, limit
    view = View(workspace, space, *shown)
    if is_restored():
        _open_picker(False)
    if st.session_state.get(_PICKING):
        _pick_split(view, splits)
    return view


def _adopt_data_set(workspace: Workspace) -> None:
    """Choose space and data set of the split in the URL, where the URL names no data set."""
    if "dataset" in st.query_params or not is_new("split"):
        return
    wanted = st.query_params["split"]
    splits = workspace.store.splits(run_ids=[wanted], space=None)
    for space, dataset in splits[["space", "dataset"]].itertuples(index=False):
        put_in_view(space, dataset, wanted)
    if wanted in (imported := imported_splits(workspace.store)):
        put_in_view(*imported[wanted], wanted)


def put_in_view(space: str, dataset: str, split: str) -> None:
    """Bring a split into view; call it before the sidebar is drawn."""
    if st.session_state.get(_SPACE_SEEN, space) != space:
        _forget_space()
    st.session_state[_SPACE_SEEN] = space
    st.session_state.update({"space": space, "dataset": dataset, "split": split})


def known_spaces(workspace: Workspace) -> dict[str, SearchSpace]:
    """Return the spaces with a table or with runs, by name; NAS-Bench-201 always, and first."""
    names = {info.space for info in list_tables(workspace.data_dir, None)}
    names |= {of for of, _ in imported_splits(workspace.store).values()}
    names |= {*workspace.store.spaces()}
    order = [name for name in list_spaces(workspace.data_dir) if name in names]
    return _open_spaces(workspace, dict.fromkeys([NAS_BENCH_201.name, *order]))


def _open_spaces(workspace: Workspace, names: Collection[str]) -> dict[str, SearchSpace]:
    """Open spaces by name; a damaged declaration is named on the page."""
    found = {}
    for name in names:
        try:
            found[name] = get_space(name, workspace.data_dir)
        except FewshotError as error:
            st.warning(plain(error), icon=":material/warning:")
    return found


def _choose_space(workspace: Workspace) -> tuple[SearchSpace, str | None]:
    """Choose the search space, where several have something to show, or a link names another.

    Returns also the name in a link of one that does not exist.
    """
    spaces = known_spaces(workspace)
    wanted = st.query_params.get("space")
    wanted = wanted or st.session_state.get("space", st.session_state.get(_last("space")))
    if wanted not in spaces and wanted in list_spaces(workspace.data_dir):
        spaces |= _open_spaces(workspace, [str(wanted)])
    labels = {name: space.label for name, space in spaces.items()}
    missing = find_missing("space", labels)
    control: Any = st.selectbox if len(labels) > 1 else lambda *_, **__: None
    settings: Any = {"on_change": _leave_space, "help": GLOSSARY["search space"]}
    chosen = choose_option(control, "Search space", labels, "space", **settings)
    if st.session_state.get(_SPACE_SEEN, chosen) != chosen:
        _forget_space()
    st.session_state[_SPACE_SEEN] = chosen
    return spaces[chosen], missing


def _forget_space(keys: Sequence[str] = _OF_SPACE) -> None:
    """Forget what was chosen in a space: all that the URL has is then new."""
    for key in keys:
        for name in (key, _last(key), _written(key)):
            st.session_state.pop(name, None)


def _leave_space() -> None:
    """Forget what was chosen in a space: the reader has chosen another one."""
    _leave(_OF_SPACE)
    st.session_state["architecture"] = ""  # else the browser still has the text


def _leave(keys: Sequence[str]) -> None:
    """Forget what was chosen, in the URL as well."""
    _forget_space(keys)
    if (context := get_script_run_ctx()) is not None:
        with context.session_state.query_params() as parameters:
            for key in keys:
                parameters.discard_param_no_forward_msg(key)


def _choose_kind(task: Task) -> str:
    """Choose the kind of benchmark accuracy; there is no control where there is one kind."""
    kinds = {name: name for name in task.kinds}
    settings: Any = {"required": True, "help": GLOSSARY["benchmark accuracy"]}
    label = f"Benchmark {task.score}"
    if len(kinds) > 1:
        return choose_option(st.segmented_control, label, kinds, "accuracy", **settings)
    unit = "" if task.percent else f", {task.stored_unit}"
    st.caption(f"{label}: {task.kinds[0]}{plain(unit)}")
    return choose_option(lambda *_, **__: None, label, kinds, "accuracy")


def _show_missing_split(labels: Mapping[str, str], missing: str) -> None:
    show_missing([missing], len(labels))
    for key, label in list(labels.items())[:1]:
        st.button(f"Show {plain(label)}", key="show_other", on_click=_show_other, args=(key,))


def _show_other(key: str) -> None:
    st.session_state["split"] = key


def _choose_table(
    workspace: Workspace, space: SearchSpace, dataset: str, kind: str
) -> TableInfo | None:
    infos = {info.name: info for info in list_tables(workspace.data_dir, space)}
    found = {name: part for name, info in infos.items() if (part := info.find(dataset, kind))}
    if not found:
        task = space.dataset(dataset)
        what = "accuracies" if task.percent else "scores"
        st.caption(f"No table has {kind} {what} on {plain(task.label)}.")
        link_to(DATA, "Import a table")
        return None
    labels = {name: infos[name].label for name in found}
    chosen = choose_option(st.selectbox, "Table", labels, "table")
    if not found[chosen].complete:
        known = found[chosen].architectures
        st.caption(f"Incomplete: {known:,} of {space.size:,} architectures.")
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
        steady=True,
    )


def list_sources(
    workspace: Workspace, role: str, space: SearchSpace, dataset: str
) -> tuple[dict[str, Source], dict[str, str]]:
    """Return the columns of a role by key, and their labels: with the table where names repeat."""
    found = list_columns(role, dataset, workspace.data_dir, space)
    sources = {f"{info.name}:{column.name}": (info, column) for info, column in found}
    names = [column.name for _, column in found]
    return sources, {
        key: column.name if names.count(column.name) == 1 else f"{column.name} · {info.label}"
        for key, (info, column) in sources.items()
    }


def _choose_limit(workspace: Workspace, space: SearchSpace, dataset: str) -> CostLimit | None:
    """Choose a cost and the most that architectures may cost; by default there is no limit."""
    costs, labels = list_sources(workspace, "cost", space, dataset)
    if (is_restored() or is_new("cost")) and st.query_params.get("cost", "") not in {"", *costs}:
        st.warning("There is no such cost here as the link limits.", icon=":material/link_off:")
    settings: Any = {
        "on_change": partial(_leave, ["at_most"]),
        "help": GLOSSARY["limit of the cost"],
    }
    control: Any = st.selectbox if costs else lambda *_, **__: None
    key = choose_option(control, "Limit a cost", {"": "no limit"} | labels, "cost", **settings)
    if key == "":
        publish({"at_most": None})
        return None
    info, column = costs[key]
    values = read_cost(workspace, info, column.name, dataset)["cost"]
    step = 10.0 ** floor(log10(float(values.max()) / 100 or 1.0))
    most = step * ceil(float(values.max()) / step)
    median = step * ceil(float(values.median()) / step)
    form = "compact" if step >= 1000 else f"%.{max(0, -round(log10(step)))}f"
    label = f"{plain(column.name)} at most" + f", {plain(column.unit)}" * bool(column.unit)
    look: Any = {"step": step, "format": form, "key": "at_most"}
    for name in ("at_most", _last("at_most")):  # of another data set
        if name in st.session_state:
            st.session_state[name] = min(st.session_state[name], most)
    chosen = keep_in_url(
        lambda: st.slider(label, 0.0, most, **look),
        "at_most",
        median,
        lambda text: min(float(text), most),
        lambda value: isfinite(value) and 0 <= value <= most,
        -1.0,
        lambda value: f"{value:.10g}",
        steady=(key, most, step),
    )
    return CostLimit(info.name, column.name, float(f"{chosen:.10g}"), column.unit)


def _choose_split(
    workspace: Workspace, labels: Mapping[str, str], missing: str | None
) -> SplitInView | None:
    st.caption("Split")
    if not labels:
        st.markdown("none yet")
        publish({"split": None})
        return None
    first = next(iter(labels))
    # Always in the URL: another split may be the first one tomorrow.
    chosen = keep_in_url(lambda: None, "split", first, str, labels.__contains__, unwritten="")
    settings: Any = {"icon": ":material/account_tree:", "help": "Choose another split"}
    st.button(
        plain(labels[chosen]), "pick_split", on_click=_open_picker, width="stretch", **settings
    )
    if chosen == missing:
        return None
    split = replace(open_split(workspace.store, chosen), label=labels[chosen])
    parts = [":blue[demonstration, came with the project]"] if split.demo else []
    parts += map(plain, split.details)
    if split.synthetic:
        parts.append(":orange[synthetic images]")
    st.caption("; ".join(parts))
    return split


def _open_picker(opened: bool = True) -> None:
    st.session_state[_PICKING] = opened


@st.dialog("Choose a split", width="large", on_dismiss=partial(_open_picker, False))
def _pick_split(view: View, labels: Mapping[str, str]) -> None:
    """Choose the split in view from a table of all of them."""
    store, current = view.workspace.store, view.split.key if view.split else None
    hint = "words in any column, such as: gradnorm untrained"
    typed = st.text_input("Filter", key="split_filter", placeholder=hint)
    table = split_table(store, labels)
    texts = table.map(str).agg(" ".join, axis=1).str.lower()
    found = table[[all(word in text for word in typed.lower().split()) for text in texts]]
    gains: list[float] | None = None
    if view.table is not None:
        where = view.workspace, view.table, view.dataset, view.kind, view.limit, view.threshold
        with suppress(TableError):  # no architecture is within the limit
            gains = [_gain(*where, split.leaves) for split in open_splits(store, list(found.index))]
    text = f"{GLOSSARY['information gain']} Comparable where network, weights and images are equal."
    made = pd.to_datetime(found["made"], unit="s")
    event = show_columns(
        {
            "metric": found["metric"],
            "network": found["network"],
            "weights": found["weights"],
            "images": found["images"],
            "seed": (found["seed"], numbers("%d", width=60)),
            "gain, bits": (gains, numbers("%.4f", text)),
            "evidence": found["notes"],
            "made": (made, DatetimeColumn(format="D MMM YYYY")),
            "differs in": (found["differs in"], TextColumn(help="From others by this metric")),
        },
        f"{len(found)} splits with what they rest on",
        selection_default=selected_rows(np.flatnonzero(found.index == current).tolist()),
        height="content" if len(found) < 10 else 388,
        key=f"split_table {typed}",
        on_select="rerun",
        selection_mode="single-row",
    )
    chosen = [str(key) for key in found.index[event.selection.rows]]
    if st.button("Show", "show_split", type="primary", disabled=not chosen):
        st.session_state["split"] = chosen[0]
        _open_picker(False)
        st.rerun()


@lru_cache(maxsize=4096)
def _gain(
    workspace: Workspace,
    table: TableInfo,
    dataset: str,
    kind: str,
    limit: CostLimit | None,
    threshold: float,
    leaves: tuple[Part, ...],
) -> float:
    accuracy = read_accuracy(workspace, table, dataset, kind, limit)
    return information_gain(leaves, accuracy, threshold)


def show_missing_split(view: View) -> None:
    """Say that no split of the data set is finished, if so, and where to make one."""
    if view.missing is not None:
        return
    show_empty(
        f"No split of {plain(view.task.label)} is finished yet. A split divides the "
        f"{view.space.size:,} architectures into sub-spaces; this page will show what is "
        "in each of them.",
        SPLIT,
        "Make a split",
        NEW_SPLIT,
    )


def show_no_supernets(split: SplitInView) -> None:
    """Say that a partition has no supernets, and what is possible without them."""
    st.info(
        f"**{plain(split.name)} is a partition that is no product of operation sets.** No supernet "
        "has exactly the architectures of one of its groups, so none is trained or searched in. "
        "*Distributions*, *Compare* and *Estimates* show what is in the groups.",
        icon=":material/category:",
    )


def show_missing_table(view: View) -> None:
    """Say that no table has the accuracies in view, and where and how to import one.

    Where none is within the limit of the cost, that was said already.
    """
    if view.limit is not None:
        return
    several = len(view.task.kinds) > 1
    other = "Choose the other kind of accuracy in the sidebar, or import a table. " * several
    show_empty(
        f"No table has the {plain(view.scores)} of the {view.space.size:,} architectures of "
        f"{plain(view.space.label)}. {other}{how_to_import(view.space)}",
        DATA,
        "Import a table",
    )


def without_supernet(view: View) -> str:
    """Say that the space in view has no supernet, and what is possible without one, in Markdown."""
    names = [*list_spaces(view.workspace.data_dir)]
    spaces = _open_spaces(view.workspace, names).values()
    having = [plain(space.label) for space in spaces if has_supernet(space)]
    lacking = "supernet"
    if supernet_exists(view.space):
        lacking = f"images of {plain(view.task.label)}"
    return (
        f"{plain(view.space.label)} has no {lacking}, which metrics and searches need: only "
        f"{' and '.join(having)} {'have' if having[1:] else 'has'} both. Here, splits are imported "
        "on the *Data* page, or made by the baseline *random*."
    )


def how_to_import(space: SearchSpace) -> str:
    """Say how a table of a space is imported, with the one command, in Markdown."""
    if space == NAS_BENCH_201:
        return "A table is a CSV file, a NATS-Bench folder or a NAS-Bench-201 file."
    if space.table_file:
        return (
            f"Its published table is the file `{space.table_file}` of {space.table_source}. One "
            f"command imports it: `fewshot import-table {space.table_file}`."
        )
    return (
        "Its table is a CSV file with a row for each architecture. One command imports it: "
        f"`fewshot import-table --space {space.name} FILE.csv`."
    )
