"""The searches of a plan as they go: how far each is, and their curves."""

import pandas as pd
import streamlit as st

from fewshot_core.analysis import mean_over_seeds, search_epochs
from fewshot_core.dashboard.figures import accuracy_source, show_figure, show_source
from fewshot_core.dashboard.links import publish, recall_option
from fewshot_core.dashboard.loading import load_accuracy
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.search_detail import show_detail
from fewshot_core.dashboard.search_options import show_options
from fewshot_core.dashboard.search_plans import (
    Place,
    SearchPlan,
    known_plans,
    records_of,
    with_seeds,
)
from fewshot_core.dashboard.search_source import plan_source
from fewshot_core.dashboard.search_start import (
    STARTED,
    begin,
    cost,
    count_text,
    state_word,
    unfinished,
)
from fewshot_core.dashboard.search_table import show_table
from fewshot_core.dashboard.views import View
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.plots import EPOCH_MEASURES, epochs_figure
from fewshot_core.runs import State, plan_command
from fewshot_core.runs.plans import cancel_all

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
        chance=_chance(view) if measure == "valid_accuracy" else None,
        axis_title=axis,
        caption=caption,
    )
    show_figure(figure, "search_curves")
    parts = plan_source(plan)
    if measure == "benchmark_accuracy":
        parts = accuracy_source(view) + parts
    command = plan_command(plan.request, plan.place.split_name, plan.seeds)
    show_source(parts, command, "search_curves_source", drawn, figure)


def _chance(view: View) -> float:
    return 100 / DATASETS.get(view.dataset).classes
