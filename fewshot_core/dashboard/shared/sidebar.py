"""The sidebar: what is in view, the same on every page and in the URL."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import ceil, floor, isfinite, log10
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from streamlit.column_config import DatetimeColumn, TextColumn

from fewshot_core.analysis import CostLimit, SplitEvaluator, information_gain, load_cost
from fewshot_core.bench import TableColumn, TableInfo, list_columns, list_tables
from fewshot_core.dashboard.shared.controls import numbers, plain, selected_rows, show_columns
from fewshot_core.dashboard.shared.glossary import GLOSSARY
from fewshot_core.dashboard.shared.page import (
    DATA,
    NEW_SPLIT,
    PAGES,
    SHARED,
    SPLIT,
    Workspace,
    link_to,
    setup,
    show_activity,
    show_empty,
    show_title,
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
from fewshot_core.dashboard.shared.url import (
    SHOWN,
    choose_option,
    find_missing,
    forget,
    in_one_step,
    is_new,
    is_restored,
    keep_in_url,
    last_value,
    leave,
    publish,
    show_missing,
    with_missing,
)
from fewshot_core.errors import FewshotError, TableError
from fewshot_core.networks import has_supernet, supernet_exists
from fewshot_core.space import NAS_BENCH_201, Part, SearchSpace, Task, get_space, list_spaces

Source = tuple[TableInfo, TableColumn]
"""A column of costs or estimates with its table."""

Scope = tuple[TableInfo, str, str, CostLimit | None]
"""Which accuracies: their table, data set and kind, and the limit of the cost."""

_PICKING = "picking a split"
_SPACE_SEEN = "search space in view"
_OF_SPACE = (
    *("dataset", "accuracy", "table", "split", "splits", "evidence", "protocol", "curves", "plan"),
    *("weights", "sub_space", "seed", "node", "architecture", "edges", "depth", "cell"),
    *("estimates", "against", "cost", "at_most", "cost_shown"),
)
"""Keys of what is chosen within a search space, and means nothing in another one."""


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

    def repeat(self, command: str) -> str:
        """Return a command on the data set in view, with the space where it must be named."""
        space = "" if self.space == NAS_BENCH_201 else f" --space {self.space.name}"
        return f"{command}{space} --dataset {self.dataset}"

    def split_labels(self, dataset: str | None = None) -> dict[str, str]:
        """Return the labels of all splits of the data set in view or another; ``list_splits``."""
        return list_splits(self.workspace.store, dataset or self.dataset, self.space.name)

    def scope(self, dataset: str | None = None) -> Scope:
        """Return which accuracies are in view, or those of another data set; with a table only."""
        if self.table is None:
            raise ValueError("expected a table in view")
        return self.table, dataset or self.dataset, self.kind, self.limit

    def accuracy(self, dataset: str | None = None) -> pd.DataFrame:
        """Return the accuracies in view, or those of another data set; there must be a table.

        They are of the architectures within the limit of the cost. May raise TableError.
        """
        return read_accuracy(self.workspace, self.scope(dataset))

    def evaluator(self, dataset: str | None = None) -> SplitEvaluator | None:
        """Return the evaluator by the accuracies in view; None where the table has no such ones."""
        name = dataset or self.dataset
        if self.table is None or self.table.find(name, self.kind) is None:
            return None
        try:
            return _evaluator(self.workspace, self.scope(name), self.threshold)
        except TableError:
            if self.limit is None:
                raise
            return None  # no architecture is within the limit on this data set

    @property
    def source(self) -> list[str]:
        """Return the source of the accuracies in view, in parts."""
        if self.table is None:
            return []
        found = self.table.find(self.dataset, self.kind)
        place = "" if self.space == NAS_BENCH_201 else f"{self.space.label}, "
        only = f", only {self.limit}" if self.limit else ""
        parts = [
            f"{place}table {self.table.label}{only}",
            f"benchmark {self.kind} {self.task.score}",
        ]
        if found is not None:
            seeds = found.seeds
            number = "one seed" if seeds == "1" else f"mean of {seeds} seeds"
            parts.append(number if seeds[0].isdigit() else f"seeds {seeds}")
            if found.epochs is not None:
                parts.append(f"{found.epochs} epochs")
        return parts

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


@st.cache_resource(show_spinner=False, max_entries=24)
def read_accuracy(_workspace: Workspace, scope: Scope) -> pd.DataFrame:
    """Read the accuracies of a table once for all sessions; they must not be changed.

    With a limit, of the architectures within it: those are all that counts on the pages. Raises
    TableError where there are none, or the table is damaged.
    """
    table, dataset, kind, limit = scope
    found = _workspace.store.accuracy(table.name, dataset, kind)
    if limit is None:
        return found
    space = get_space(table.space, _workspace.data_dir)
    return limit.restrict(found, dataset, _workspace.data_dir, space)


@st.cache_resource(show_spinner="Drawing random trees", max_entries=24)
def _evaluator(_workspace: Workspace, scope: Scope, threshold: float) -> SplitEvaluator:
    return SplitEvaluator(read_accuracy(_workspace, scope), threshold)


@lru_cache(10_000)
def split_gain(leaves: tuple[Part, ...], evaluator: SplitEvaluator) -> float:
    """Return the information gain of a split in bits."""
    return information_gain(leaves, evaluator.accuracy, evaluator.threshold)


@st.cache_resource(show_spinner=False, max_entries=24)
def read_cost(_workspace: Workspace, table: TableInfo, column: str, dataset: str) -> pd.DataFrame:
    """Read a cost of a table once for all sessions; see ``load_cost``."""
    space = get_space(table.space, _workspace.data_dir)
    return load_cost(table.name, column, dataset, _workspace.data_dir, space)


def open_page(
    title: str,
    form: tuple[str, Mapping[str, str]] | None = None,
    before: Callable[[Workspace], None] | None = None,
) -> View:
    """Begin a page with its sidebar and its title; a script calls it first, on every run.

    A button beside the title opens a ``form``: its label and query. ``before`` is called before
    the sidebar is drawn.
    """
    workspace = setup(title)
    if before is not None:
        before(workspace)
    view = _choose_view(workspace)
    if form is None:
        st.title(title)
    else:
        show_title(title, *form)
    return _apply_limit(view)


def _apply_limit(view: View) -> View:
    """Say that there is a limit of the cost; leave the table out where nothing is within it."""
    if view.limit is None:
        return view
    text, icon = plain(str(view.limit)), ":material/filter_alt:"
    try:
        within = len(view.accuracy())
    except TableError as error:
        reason = plain(str(error))
        st.warning(f"{reason[:1].upper()}{reason[1:]}.", icon=icon)
        return replace(view, table=None)
    st.caption(f"{icon} Only architectures with {text} count: {within:,} of {view.space.size:,}.")
    return view


def _choose_view(workspace: Workspace) -> View:
    """Draw the sidebar and return what is chosen there."""
    with st.sidebar, in_one_step() as shared:
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
        st.session_state[SHARED] = {key: text for key, text in shared.items() if text is not None}
    with links:
        for page in PAGES:
            link_to(page)
    with activity:
        show_activity(workspace)
    if no_space is not None:
        text = f"There is no search space {no_space[:SHOWN]} in this data folder: "
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
        forget(_OF_SPACE)
    st.session_state[_SPACE_SEEN] = space
    st.session_state.update({"space": space, "dataset": dataset, "split": split})


def _known_spaces(workspace: Workspace) -> dict[str, SearchSpace]:
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
    spaces = _known_spaces(workspace)
    wanted = st.query_params.get("space") or last_value("space")
    if wanted not in spaces and wanted in list_spaces(workspace.data_dir):
        spaces |= _open_spaces(workspace, [str(wanted)])
    labels = {name: space.label for name, space in spaces.items()}
    missing = find_missing("space", labels)
    control: Any = st.selectbox if len(labels) > 1 else lambda *_, **__: None
    settings: Any = {"on_change": _leave_space, "help": GLOSSARY["search space"]}
    chosen = choose_option(control, "Search space", labels, "space", **settings)
    if st.session_state.get(_SPACE_SEEN, chosen) != chosen:
        forget(_OF_SPACE)
    st.session_state[_SPACE_SEEN] = chosen
    return spaces[chosen], missing


def _leave_space() -> None:
    """Forget what was chosen in a space: the reader has chosen another one."""
    leave(_OF_SPACE)
    st.session_state["architecture"] = ""  # else the browser still has the text


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
        settings: Any = {"on_click": st.session_state.update, "kwargs": {"split": key}}
        st.button(f"Show {plain(label)}", key="show_other", **settings)


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
        "on_change": partial(leave, ["at_most"]),
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
    # One of another data set. Set only then: what the browser changed meanwhile would be lost.
    if last_value("at_most", 0.0) > most:
        st.session_state["at_most"] = most
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
    store, current = view.workspace.store, view.split.key if view.split else None
    hint = "words in any column, such as: gradnorm untrained"
    typed = st.text_input("Filter", key="split_filter", placeholder=hint)
    table = split_table(store, labels)
    texts = table.map(str).agg(" ".join, axis=1).str.lower()
    found = table[[all(word in text for word in typed.lower().split()) for text in texts]]
    gains: list[float] | None = None
    with suppress(TableError):
        if evaluator := view.evaluator():
            splits = open_splits(store, list(found.index))
            gains = [split_gain(split.leaves, evaluator) for split in splits]
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
        selection_mode="single-row",
    )
    chosen = [str(key) for key in found.index[event.selection.rows]]
    if st.button("Show", "show_split", type="primary", disabled=not chosen):
        st.session_state["split"] = chosen[0]
        _open_picker(False)
        st.rerun()


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
