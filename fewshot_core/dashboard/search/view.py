"""The Search page: the searches of a plan as they run, and one of them in detail."""

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import ProgressColumn, TextColumn

from fewshot_core.analysis import mean_over_seeds, search_epochs
from fewshot_core.dashboard.search.form import (
    STARTED,
    choose_place,
    choose_plan,
    seconds_left,
    show_start,
    show_training,
    start_missing,
)
from fewshot_core.dashboard.search.plans import (
    Place,
    PlannedSearch,
    SearchPlan,
    known_plans,
    plan_source,
    request_source,
)
from fewshot_core.dashboard.shared.controls import (
    POLL_SECONDS,
    choose_one,
    numbers,
    plain,
    show_errors,
    show_log,
    show_table,
    table_height,
)
from fewshot_core.dashboard.shared.figures import (
    accuracy_source,
    show_architecture,
    show_figure,
    show_source,
)
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.requests import show_options
from fewshot_core.dashboard.shared.sidebar import (
    View,
    choose_option,
    find_missing,
    load_accuracy,
    open_page,
    show_missing,
    show_missing_split,
    with_missing,
)
from fewshot_core.dashboard.shared.splits import with_ends
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.plots import (
    EPOCH_MEASURES,
    epochs_figure,
    probabilities_figure,
    search_panels_figure,
    shared_accuracy_figure,
)
from fewshot_core.runs import State, command, plan_command
from fewshot_core.runs.jobs import cancel_all
from fewshot_core.search.proxy import compare, correlation_text, read_shared
from fewshot_core.space import Architecture

_FORM, _MEAN = "form", "mean"


def show_search_page() -> None:
    """Draw the page."""
    view = open_page("Search")
    left, right = st.columns([1, 2], gap="large")
    with left:
        place = choose_place(view)
        wanted = choose_plan(view, place)
        show_start(view.workspace, wanted)
        show_training(view)
    with right:
        if place is None:
            show_missing_split(view)
            return
        plan = _choose_shown(view, place, wanted)
        if plan is not None:
            _show_plan(view, plan)


def _choose_shown(view: View, place: Place, wanted: SearchPlan | None) -> SearchPlan | None:
    """Choose the plan to show: that of the form, or another one that was started before."""
    plans = known_plans(view, place)
    own = plans.pop(wanted.family, None) if wanted else None
    if wanted is not None and own is not None:
        wanted = wanted.with_seeds_of(own)
    if st.session_state.pop(STARTED, False):
        st.session_state["plan"] = _FORM
    labels = {family: plan.label for family, plan in plans.items()}
    labels = {_FORM: "options of the form"} | with_ends(labels, {key: key[:6] for key in labels})
    known = labels | ({wanted.family: ""} if own and wanted else {})
    missing = find_missing("plan", known, str(place.split_name))
    if missing is None and not plans:
        return wanted
    text = "Every set of options with which a search was started in these sub-spaces."
    first = _FORM if own or not plans else next(iter(plans))
    labels = with_missing(labels, missing)
    chosen = choose_option(st.selectbox, "Searches", labels, "plan", first, help=text)
    if chosen == missing:
        show_missing([chosen], len(plans))
        return None
    return wanted if chosen == _FORM else plans[chosen]


def _show_plan(view: View, plan: SearchPlan) -> None:
    """Show the state of a plan, its curves, and one of its searches in detail."""
    if all(search.status is None for search in plan.searches):
        st.markdown(
            f"No search of this plan was started yet. **{plan.label}**: *Start* runs a search in "
            f"each of {len(plan.place.spaces)} sub-spaces, whose curves are drawn here."
        )
        st.subheader("Options")
        show_options(plan.request.options, "options", plan.request.algorithm)
        return
    if plan.synthetic:
        st.warning(
            f"Synthetic images: these searches say nothing about {DATASETS.label(view.dataset)}.",
            icon=":material/casino:",
        )
    draw = st.fragment(_show_live, run_every=POLL_SECONDS if plan.active else None)
    draw(view, plan)
    with st.expander("All options", icon=":material/list:"):
        show_options(plan.request.options, "options", plan.request.algorithm)


def _show_live(view: View, plan: SearchPlan) -> None:
    """Show what changes while searches run; the whole page is drawn again when they end."""
    running, plan = plan.active, plan.refreshed()
    if running and not plan.active:
        st.rerun()
    _show_state(view.workspace, plan)
    _show_failures(plan)
    measure, seed = _choose_curves(plan)
    accuracy = None if view.table is None else load_accuracy(view)
    searches = [
        (search.name, search.request.seed, search.records())
        for search in plan.searches
        if seed in (_MEAN, str(search.request.seed))
    ]
    frame = search_epochs(searches, accuracy)
    _show_curves(view, plan, frame, measure, seed)
    _show_table(view, plan, accuracy)
    _show_detail(view, plan, plan.seeds[0] if seed == _MEAN else int(seed), accuracy)


def _show_state(workspace: Workspace, plan: SearchPlan) -> None:
    """Show the progress of the plan, with buttons that stop and resume it."""
    text, buttons = st.columns([3, 2], vertical_alignment="center")
    row = buttons.container(horizontal=True, horizontal_alignment="right")
    left = _left_text(workspace, plan.active)
    text.markdown(f"**{plan.summary}**" + (f" · about {left} left" if left else ""))
    for search in plan.active:
        if search.status is not None and search.status.state is State.RUNNING:
            text.caption(plain(f"{search.title}: {search.status.message}"))
    if row.button("Stop", key="stop", icon=":material/stop:", disabled=not plan.active):
        with show_errors():
            with st.spinner("Stopping"):
                cancel_all([search.folder for search in plan.active])
            st.rerun()
    if row.button("Resume", key="resume", icon=":material/resume:", disabled=not plan.missing):
        start_missing(workspace, plan)


def _left_text(workspace: Workspace, searches: list[PlannedSearch]) -> str:
    """Estimate the remaining time of active searches, or nothing where it is not known."""
    try:
        seconds = seconds_left(workspace, searches)
    except (FewshotError, OSError):
        seconds = None
    return duration_text(seconds) if seconds else ""


def _show_failures(plan: SearchPlan) -> None:
    verbs = {State.FAILED: "failed", State.LOST: "was lost"}
    for search in plan.searches:
        if search.status is not None and (verb := verbs.get(search.status.state)):
            st.error(
                plain(f"{search.title} {verb}: {search.status.message}"), icon=":material/error:"
            )
            with st.expander(f"Log of {search.title}", icon=":material/article:"):
                show_log(search.folder.log_tail())


def _choose_curves(plan: SearchPlan) -> tuple[str, str]:
    """Choose the measure that is drawn, and the seed."""
    seeds = list(map(str, plan.seeds))
    left, right = st.columns([6, 1], vertical_alignment="bottom") if len(seeds) > 1 else (st, st)
    measure = choose_one(
        "Curves",
        EPOCH_MEASURES,
        "curves",
        left,
        wrap=True,
        format_func=lambda name: EPOCH_MEASURES[name].label,
        help="The supernet's validation accuracy is measured by the search, with shared weights on "
        "held-out images. The benchmark accuracy is that of the architecture that the search would "
        "return, from the table in view.",
    )
    if len(seeds) == 1:
        return measure, seeds[0]
    labels = {name: name for name in seeds} | {_MEAN: "mean of all"}
    seed = choose_option(right.selectbox, "Seed", labels, "seed")
    return measure, seed


def _show_curves(
    view: View, plan: SearchPlan, frame: pd.DataFrame, measure: str, seed: str
) -> None:
    drawn = mean_over_seeds(frame) if seed == _MEAN else frame
    missing = [name for name in plan.place.spaces if name not in set(drawn["sub_space"])]
    caption = [f"no epoch yet: {', '.join(missing)}"] if missing else []
    caption += [f"mean of up to {len(plan.seeds)} seeds"] if seed == _MEAN else [f"seed {seed}"]
    guessing = 100 / DATASETS.get(view.dataset).classes
    looked_up = measure == "benchmark_accuracy"
    if looked_up and view.table is None:
        st.info(f"No table in view has {view.kind} accuracies.", icon=":material/table_chart:")
    figure = epochs_figure(
        drawn,
        measure,
        plan.request.options.epochs,
        running={search.name for search in plan.searches if search.state == "running"},
        random_accuracy=guessing if measure == "valid_accuracy" else None,
        axis_title=view.axis_title if looked_up and view.table else None,
        caption=caption + plan.notes,
    )
    show_figure(figure, "search_curves")
    parts = [*(accuracy_source(view) if looked_up else []), *plan_source(plan)]
    repeat = plan_command(plan.request, plan.place.split_name, plan.seeds)
    show_source(parts, repeat, "search_curves_source", drawn)


def _show_table(view: View, plan: SearchPlan, accuracy: pd.DataFrame | None) -> None:
    """List the searches with their progress and results."""
    known: Any = {} if accuracy is None else accuracy.set_index("architecture")["accuracy_mean"]
    rows = []
    for search in plan.searches:
        last = search.records()[-1] if search.records() else {}
        rows.append(
            {
                "sub-space": search.name,
                "seed": search.request.seed,
                "size": search.request.sub_space.size,
                "state": search.state,
                "epochs": last.get("epoch", 0),
                "left": _left_text(view.workspace, [search]) if search.active else "",
                "supernet": last.get("valid_accuracy"),
                "found": known.get(last.get("architecture_index")),
            }
        )
    end = plan.request.options.epochs
    supernet = "Validation accuracy of the supernet"
    found = f"Benchmark {view.kind} accuracy of the architecture found"
    seed = ["seed"] if len(plan.seeds) > 1 else []
    show_table(
        pd.DataFrame(rows),
        f"{len(rows)} searches: {plan.summary}",
        {
            "sub-space": TextColumn(width=75),
            "seed": numbers("%d", width=50),
            "size": numbers("localized", width=60),
            "state": TextColumn(width=75),
            "epochs": ProgressColumn(format="%d", min_value=0, max_value=end, width=105),
            "left": TextColumn(width=55),
            "supernet": numbers("%.2f", supernet, 80, "supernet %"),
            "found": numbers("%.2f", found, 70, "found %"),
        },
        key="searches",
        column_order=["sub-space", *seed, "state", "epochs", "found", "supernet", "left", "size"],
        height=table_height(len(rows)),
    )


def _show_detail(view: View, plan: SearchPlan, seed: int, accuracy: pd.DataFrame | None) -> None:
    """Show one search of a plan, chosen by its sub-space."""
    names = {name: name for name in plan.place.spaces}
    name = choose_option(st.segmented_control, "Sub-supernet", names, "sub_space", required=True)
    search = plan.find(name, seed)
    records = search.records()
    st.subheader(search.title)
    if not records:
        st.caption("No epoch of this search is done yet.")
        return
    end, caption = search.request.options.epochs, plan.notes
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = probabilities_figure(records, search.request.sub_space, end, caption)
        show_figure(figure, "probabilities")
    with right:
        _show_found(view, records[-1], accuracy)
    frame = search_epochs([(search.name, seed, records)], accuracy)
    show_figure(search_panels_figure(frame, end, caption), "search_panels")
    parts = [*accuracy_source(view), f"run {search.folder.run_id}", f"seed {seed}"]
    parts += request_source(search.request, plan.synthetic)
    show_source(parts, command(search.request), "search_detail_source", frame)
    with show_errors():
        _show_shared(view, search, accuracy, caption)


def _show_found(view: View, record: dict[str, Any], accuracy: pd.DataFrame | None) -> None:
    """Draw the architecture that the search would return now, with its benchmark accuracy."""
    architecture = Architecture.from_index(record["architecture_index"])
    show_architecture(architecture, f"Found by epoch {record['epoch']}", "found_cell")
    st.metric(
        "Supernet's validation accuracy",
        f"{record['valid_accuracy']:.2f}%",
        help="Measured by the search: shared weights, held-out images.",
    )
    if accuracy is None or view.table is None:
        st.metric("Benchmark accuracy", "no table")
        return
    known = accuracy.set_index("architecture")["accuracy_mean"].dropna()
    value = known.get(architecture.index)
    st.metric(
        f"Benchmark {view.kind} accuracy",
        "not in the table" if value is None else f"{value:.2f}%",
        help=f"Of this architecture, trained by itself; table {view.table.label}.",
    )
    if value is not None:
        st.caption(
            f"Rank {1 + int((known > value).sum()):,} of {len(known):,} by {view.kind} accuracy "
            f"in the table {view.table.label}."
        )


def _show_shared(
    view: View, search: PlannedSearch, accuracy: pd.DataFrame | None, caption: list[str]
) -> None:
    """Show how well the shared weights rank architectures, where that was measured."""
    run_id = search.folder.run_id
    shared = read_shared(search.folder.path)
    if shared is None:
        st.caption(
            "How well the shared weights of this search rank architectures is shown here after "
            f"`fewshot proxy {run_id}`."
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
    count = len(shared.architectures)
    parts = [
        *accuracy_source(view),
        f"run {run_id}",
        f"weights of epoch {shared.epoch}",
        f"{shared.images:,} held-out images",
        f"{count} architectures sampled with seed {shared.seed}",
    ]
    options = f"--sample {count} --seed {shared.seed} --accuracy {view.kind}"
    show_source(parts, f"fewshot proxy {run_id} {options}", "shared_accuracy_source", frame)
