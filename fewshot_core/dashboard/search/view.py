"""The searches of a plan as they run, and one search in detail."""

from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.analysis import mean_over_seeds, search_epochs
from fewshot_core.dashboard.search.form import (
    STARTED,
    begin,
    cost,
    count_text,
    state_word,
    unfinished,
)
from fewshot_core.dashboard.search.plans import (
    Place,
    PlannedSearch,
    SearchPlan,
    known_plans,
    plan_source,
    records_of,
    request_source,
    with_seeds,
)
from fewshot_core.dashboard.shared.figures import accuracy_source, show_figure, show_source
from fewshot_core.dashboard.shared.loading import load_accuracy
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.requests import show_options
from fewshot_core.dashboard.shared.sidebar import View, publish, recall_option
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.plots import (
    EPOCH_MEASURES,
    cell_figure,
    epochs_figure,
    probabilities_figure,
    search_panels_figure,
    shared_accuracy_figure,
)
from fewshot_core.runs import State, command, plan_command
from fewshot_core.runs.jobs import cancel_all
from fewshot_core.search.proxy import compare, correlation_text, read_shared
from fewshot_core.space import Architecture

_KEY = "sub_space"


def show_detail(
    workspace: Workspace,
    view: View,
    plan: SearchPlan,
    seed: int,
    accuracy: pd.DataFrame | None,
) -> None:
    """Show one search of a plan, chosen by its sub-space."""
    names = list(plan.place.spaces)
    recall_option(_KEY, names)
    name = st.segmented_control("Sub-supernet", names, required=True, key=_KEY)
    publish(_KEY, names[0])
    search = plan.find(str(name), seed)
    records = records_of(search.folder)
    st.subheader(f"{name}, seed {seed}")
    if not records:
        st.caption("No epoch of this search is done yet.")
        return
    end = search.request.options.epochs
    caption = ["made-up images"] if plan.synthetic else []
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = probabilities_figure(records, search.request.sub_space, end, caption)
        show_figure(figure, "probabilities")
    with right:
        _show_found(view, records[-1], accuracy)
    frame = search_epochs([(search.name, seed, records)], accuracy)
    panels = search_panels_figure(frame, end, caption)
    show_figure(panels, "search_panels")
    _show_source(view, plan, search, frame)
    _show_shared(view, search, accuracy, caption)


def _show_shared(
    view: View, search: PlannedSearch, accuracy: pd.DataFrame | None, caption: list[str]
) -> None:
    """Show how well the shared weights rank architectures, where that was measured."""
    try:
        shared = read_shared(search.folder.path)
    except FewshotError as error:
        st.error(str(error))
        return
    if shared is None:
        st.caption(
            "How well the shared weights of this search rank architectures is shown here after "
            f"`fewshot proxy {search.folder.run_id}`."
        )
        return
    if accuracy is None:
        return
    correlation, frame = compare(shared, accuracy)
    found = "fewer than two architectures are in the table"
    if correlation is not None:
        found = f"Kendall's tau {correlation_text(correlation.kendall)}"
    figure = shared_accuracy_figure(frame, found, view.axis_title, caption)
    show_figure(figure, "shared_accuracy")
    parts = [
        *accuracy_source(view),
        f"run {search.folder.run_id}",
        f"weights of epoch {shared.epoch}",
        f"{shared.images:,} held-out images",
        f"{len(shared.architectures)} architectures drawn with seed {shared.seed}",
    ]
    words = f"--sample {len(shared.architectures)} --seed {shared.seed} --accuracy {view.kind}"
    show_source(
        parts, f"fewshot proxy {search.folder.run_id} {words}", "shared_accuracy_source", frame
    )


def _show_found(view: View, record: dict[str, Any], accuracy: pd.DataFrame | None) -> None:
    """Draw the architecture that the search would return now, with what the table says of it."""
    architecture = Architecture.from_index(record["architecture_index"])
    title = f"Found by epoch {record['epoch']}"
    show_figure(cell_figure(architecture, title), "found_cell")
    st.code(architecture.to_string(), language=None, wrap_lines=True)
    st.metric(
        "Supernet's validation accuracy",
        f"{record['valid_accuracy']:.2f}%",
        help="Measured by the search: shared weights, held-out images.",
    )
    if accuracy is None or view.table is None:
        st.metric("Benchmark accuracy", "no table")
        return
    ranked = accuracy.assign(rank=accuracy["accuracy_mean"].rank(ascending=False, method="min"))
    row = ranked[ranked["architecture"] == architecture.index]
    known = not row.empty and not pd.isna(row["accuracy_mean"].iloc[0])
    st.metric(
        f"Benchmark {view.kind} accuracy",
        f"{row['accuracy_mean'].iloc[0]:.2f}%" if known else "not in the table",
        help=f"Of this architecture, trained by itself; table {view.table.label}.",
    )
    if known:
        st.caption(
            f"Rank {int(row['rank'].iloc[0]):,} of {int(accuracy['accuracy_mean'].count()):,} "
            f"by {view.kind} accuracy in the table {view.table.label}."
        )


def _show_source(view: View, plan: SearchPlan, search: PlannedSearch, frame: pd.DataFrame) -> None:
    parts = [
        *accuracy_source(view),
        f"run {search.folder.run_id}",
        f"seed {search.request.seed}",
        *request_source(search.request, plan.synthetic),
    ]
    show_source(parts, command(search.request), "search_detail_source", frame)


_SHOWN = 12


def show_table(
    workspace: Workspace, view: View, plan: SearchPlan, accuracy: pd.DataFrame | None
) -> None:
    """List the searches with how far they are and what they have found."""
    known = None if accuracy is None else accuracy.set_index("architecture")["accuracy_mean"]
    rows = [_row(workspace, search, known) for search in plan.searches]
    seed = ["seed"] if len(plan.seeds) > 1 else []
    st.dataframe(
        pd.DataFrame(rows),
        key="searches",
        hide_index=True,
        placeholder="-",
        column_order=["sub-space", *seed, "state", "epochs", "found", "supernet", "left", "size"],
        height="content" if len(rows) <= _SHOWN else 38 + 35 * _SHOWN,
        column_config={
            "sub-space": st.column_config.TextColumn(width=75),
            "seed": st.column_config.NumberColumn(format="%d", width=50),
            "size": st.column_config.NumberColumn(format="localized", width=60),
            "state": st.column_config.TextColumn(width=75),
            "epochs": st.column_config.ProgressColumn(
                format="%d", min_value=0, max_value=plan.request.options.epochs, width=105
            ),
            "left": st.column_config.TextColumn(width=55),
            "supernet": st.column_config.NumberColumn(
                "supernet %",
                format="%.2f",
                width=80,
                help="The supernet's validation accuracy",
            ),
            "found": st.column_config.NumberColumn(
                "found %",
                format="%.2f",
                width=70,
                help=f"Benchmark {view.kind} accuracy of what is found",
            ),
        },
        alt=f"{len(rows)} searches: {count_text(plan)}",
    )


def _row(workspace: Workspace, search: PlannedSearch, known: Any) -> dict[str, Any]:
    records = records_of(search.folder)
    last = records[-1] if records else None
    index = None if last is None else last["architecture_index"]
    return {
        "sub-space": search.name,
        "seed": search.request.seed,
        "size": search.request.sub_space.size,
        "state": state_word(search),
        "epochs": last["epoch"] if last else 0,
        "left": _left_text(workspace, search),
        "supernet": last["valid_accuracy"] if last else None,
        "found": None if known is None or index is None else known.get(index),
    }


def _left_text(workspace: Workspace, search: PlannedSearch) -> str:
    if not search.is_active():
        return ""
    try:
        seconds = cost(workspace, [search])
    except (FewshotError, OSError):
        return ""
    return "" if seconds is None else duration_text(seconds)


POLL_SECONDS = 1.5
MEAN = "mean"

_PLAN, _FORM = "plan", "form"
_SEED = "seed"


def choose_shown(
    workspace: Workspace, view: View, place: Place, asked: SearchPlan | None
) -> SearchPlan | None:
    """Return the plan to show: what the form asks for, or another that was started before."""
    plans = known_plans(workspace, view.dataset, place)
    own = plans.pop(asked.family, None) if asked else None
    if asked is not None and own is not None:
        asked = with_seeds(asked, own)
    if st.session_state.pop(STARTED, False):
        st.session_state[_PLAN] = _FORM
    if not plans:
        return asked
    recall_option(_PLAN, [_FORM, *plans], _FORM if own else next(iter(plans)))
    chosen = st.selectbox(
        "Searches",
        [_FORM, *plans],
        key=_PLAN,
        format_func=lambda name: "as set at the left" if name == _FORM else plans[name].label,
        help="Every set of options with which any search was started in these sub-spaces.",
    )
    publish(_PLAN, _FORM)
    return asked if chosen == _FORM else plans[chosen]


def show_searches(workspace: Workspace, view: View, plan: SearchPlan) -> None:
    """Show a plan: how it goes, its curves, and one of its searches in full."""
    plan = plan.seen()
    if all(search.status() is None for search in plan.searches):
        st.markdown(
            f"No search of this plan was started yet. **{plan.label}**: with *Start*, "
            f"{len(plan.place.spaces)} curves grow here, one for each sub-supernet."
        )
        st.subheader("What will be done")
        show_options(plan.request.options, "options", plan.request.algorithm)
        return
    if plan.synthetic:
        label = DATASETS.get(view.dataset).label
        st.warning(
            f"Made-up images: these searches say nothing about {label}.", icon=":material/casino:"
        )
    going = any(search.is_active() for search in plan.searches)
    draw = st.fragment(_show_live, run_every=POLL_SECONDS if going else None)
    draw(workspace, view, plan, going)
    with st.expander("All options", icon=":material/list:"):
        show_options(plan.request.options, "options", plan.request.algorithm)


def _show_live(workspace: Workspace, view: View, plan: SearchPlan, going: bool) -> None:
    """Show what changes while searches run; the rest of the page is drawn again when they end."""
    plan = plan.seen()
    if going and not any(search.is_active() for search in plan.searches):
        st.rerun()
    _show_state(workspace, plan)
    _show_failures(plan)
    measure, seed = _choose_curves(plan)
    accuracy = None if view.table is None else load_accuracy(workspace, view)
    searches = [
        (search.name, search.request.seed, records_of(search.folder))
        for search in plan.searches
        if seed in (MEAN, str(search.request.seed))
    ]
    frame = search_epochs(searches, accuracy)
    _show_curves(view, plan, frame, measure, seed)
    show_table(workspace, view, plan, accuracy)
    show_detail(workspace, view, plan, plan.seeds[0] if seed == MEAN else int(seed), accuracy)


def _show_state(workspace: Workspace, plan: SearchPlan) -> None:
    """Say how far the plan is, with what stops it and lets it go on."""
    text, buttons = st.columns([3, 2], vertical_alignment="center")
    row = buttons.container(horizontal=True, horizontal_alignment="right")
    parts = [f"**{count_text(plan)}**"]
    going = [search for search in plan.searches if search.is_active()]
    rest = [search for search in unfinished(plan) if not search.is_active()]
    if going:
        try:
            seconds = cost(workspace, going)
        except (FewshotError, OSError):
            seconds = None
        if seconds is not None:
            parts.append(f"about {duration_text(seconds)} left")
    text.markdown(" · ".join(parts))
    for search in going:
        status = search.status()
        if status is not None and status.state is State.RUNNING:
            text.caption(f"{search.name}, seed {search.request.seed}: {status.message}")
    if row.button("Stop", key="stop", icon=":material/stop:", disabled=not going):
        with st.spinner("Stopping"):
            try:
                cancel_all([search.folder for search in going])
            except FewshotError as error:
                st.error(str(error))
                return
        st.rerun()
    if row.button("Resume", key="resume", icon=":material/resume:", disabled=not rest):
        begin(workspace, plan)


def _show_failures(plan: SearchPlan) -> None:
    """Say why searches failed or were lost."""
    for search in plan.searches:
        status = search.status()
        if status is None or status.state not in (State.FAILED, State.LOST):
            continue
        name = f"{search.name}, seed {search.request.seed}"
        st.error(f"{name} {_ENDED[status.state]}: {status.message}", icon=":material/error:")
        with st.expander(f"Log of {name}", icon=":material/article:"):
            st.code(search.folder.log_tail() or "the log is empty", language=None)


_ENDED = {State.FAILED: "failed", State.LOST: "was lost"}


def _choose_curves(plan: SearchPlan) -> tuple[str, str]:
    """Choose what is drawn, and of which seed."""
    seeds = list(map(str, plan.seeds))
    left, right = st.columns([6, 1], vertical_alignment="bottom") if len(seeds) > 1 else (st, st)
    measure = left.segmented_control(
        "Curves",
        list(EPOCH_MEASURES),
        default=next(iter(EPOCH_MEASURES)),
        required=True,
        key="curves",
        bind="query-params",
        wrap=True,
        format_func=lambda name: EPOCH_MEASURES[name].label,
        help="The supernet's validation accuracy is measured by the search, with shared weights on "
        "held-out images. The benchmark accuracy is what the table in view says of the "
        "architecture that the search would return.",
    )
    if len(seeds) == 1:
        return str(measure), seeds[0]
    recall_option(_SEED, [*seeds, MEAN])
    seed = right.selectbox(
        "Seed",
        [*seeds, MEAN],
        key=_SEED,
        format_func=lambda name: "mean of all" if name == MEAN else name,
    )
    publish(_SEED, seeds[0])
    return str(measure), str(seed)


def _show_curves(
    view: View, plan: SearchPlan, frame: pd.DataFrame, measure: str, seed: str
) -> None:
    drawn = mean_over_seeds(frame) if seed == MEAN else frame
    missing = [name for name in plan.place.spaces if name not in set(drawn["sub_space"])]
    caption = [f"no epoch yet: {', '.join(missing)}"] if missing else []
    caption += [f"mean of up to {len(plan.seeds)} seeds"] if seed == MEAN else [f"seed {seed}"]
    caption += ["made-up images"] if plan.synthetic else []
    axis = None
    if measure == "benchmark_accuracy":
        if view.table is None:
            st.info(f"No table in view has {view.kind} accuracies.", icon=":material/table_chart:")
        else:
            axis = view.axis_title
    figure = epochs_figure(
        drawn,
        measure,
        plan.request.options.epochs,
        running={search.name for search in plan.searches if state_word(search) == "running"},
        random_accuracy=_random_accuracy(view) if measure == "valid_accuracy" else None,
        axis_title=axis,
        caption=caption,
    )
    show_figure(figure, "search_curves")
    parts = plan_source(plan)
    if measure == "benchmark_accuracy":
        parts = accuracy_source(view) + parts
    command = plan_command(plan.request, plan.place.split_name, plan.seeds)
    show_source(parts, command, "search_curves_source", drawn, figure)


def _random_accuracy(view: View) -> float:
    return 100 / DATASETS.get(view.dataset).classes
