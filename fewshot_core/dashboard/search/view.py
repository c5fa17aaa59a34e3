"""The Search page: the searches of a plan as they run, and one of them in detail."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import ProgressColumn, TextColumn

from fewshot_core.analysis import found_by_seed, mean_over_seeds, search_epochs, smooth
from fewshot_core.dashboard.search.form import (
    STARTED,
    choose_place,
    offer_new_search,
    seconds_left,
    show_trainings,
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
    counted,
    numbers,
    plain,
    show_errors,
    show_log,
    show_running,
    show_table,
    show_tabs,
)
from fewshot_core.dashboard.shared.figures import show_architecture, show_figure, show_source
from fewshot_core.dashboard.shared.glossary import explain
from fewshot_core.dashboard.shared.page import ESTIMATES, HALVING, Workspace, link_to
from fewshot_core.dashboard.shared.requests import show_options
from fewshot_core.dashboard.shared.sidebar import (
    View,
    open_page,
    show_missing_split,
    show_no_supernets,
    without_supernet,
)
from fewshot_core.dashboard.shared.url import (
    choose_option,
    find_missing,
    show_missing,
    with_missing,
)
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.plots import (
    EPOCH_MEASURES,
    cell_figure,
    epoch_measure,
    epochs_figure,
    probabilities_figure,
    search_panels_figure,
    shared_accuracy_figure,
)
from fewshot_core.runs import (
    ProxyRequest,
    RunFolder,
    State,
    command,
    estimate_seconds,
    plan_command,
)
from fewshot_core.runs.estimate import duration_text
from fewshot_core.runs.jobs import cancel_all
from fewshot_core.search.proxy import compare, correlation_text, read_shared
from fewshot_core.search.records import CHECKPOINT
from fewshot_core.selection import regret_text
from fewshot_core.space import Architecture

_ROWS = 8
"""Rows of the table that are seen at once: the tab is not longer than two screens."""


def show_search_page() -> None:
    """Draw the page."""
    view = open_page("Search")
    if not view.has_supernet:
        st.info(without_supernet(view), icon=":material/info:")
        return
    where, shown, new = st.columns([8, 12, 4], vertical_alignment="bottom")
    with where:
        place = choose_place(view)
    if place is None:
        show_missing_split(view)
        return
    if place.split is not None and place.split.is_partition:
        show_no_supernets(place.split)
        return
    with new:
        offer_new_search(view, place)
    with shown:
        plan, problem = _choose_shown(view, place)
    show_trainings(view)
    if plan is not None:
        running = any(search.active for search in plan.searches)
        st.fragment(_show_plan, run_every=POLL_SECONDS if running else None)(view, plan)
    elif not problem:
        st.container(border=True).markdown(
            f"No search in {'this split' if place.split else 'the whole space'} was started yet. "
            f"*New search* runs one in {counted(len(place.spaces), 'sub-space')}; this page then "
            "shows what each of them finds."
        )


def _choose_shown(view: View, place: Place) -> tuple[SearchPlan | None, bool]:
    """Choose the plan to show, by default the latest; return also whether a link's is missing."""
    plans = known_plans(view, place)
    if (started := st.session_state.pop(STARTED, None)) in plans:
        st.session_state["plan"] = started
    known = {key: plan.label for key, plan in plans.items()}
    missing = find_missing("plan", known, str(place.split_name))
    if not known and missing is None:
        return None, False
    text = "Searches by one algorithm with equal evidence: network, images, weights and protocol."
    labels = with_missing(known, missing)
    # Always in the URL: other searches may be the first ones tomorrow.
    settings: Any = {"help": text, "unwritten": ""}
    chosen = choose_option(st.selectbox, "Searches", labels, "plan", **settings)
    if chosen == missing:
        show_missing([chosen], len(plans))
        return None, True
    return plans[chosen].plan(view.workspace, place), False


def _show_plan(view: View, plan: SearchPlan) -> None:
    """Show the result of a plan, its state, and the open tab; all again when its searches end."""
    running, plan = plan.active, plan.refreshed()
    if running and not plan.active:
        st.rerun()
    searches = [(each.name, each.request.seed, each.records()) for each in plan.searches]
    frame = search_epochs(searches, view.accuracy() if view.table else None)
    _show_result(view, plan, frame)
    _show_state(view.workspace, plan)
    _show_failures(plan)
    options = plan.request.options, "plan_options", plan.request.algorithm
    shows = {
        "Curves": partial(_show_curves, view, plan, frame),
        "One search": partial(_show_detail, view, plan),
        "Proxy quality": partial(_show_proxy, view, plan),
        "Options": partial(show_options, *options),
    }
    show_tabs(shows, "search_tab")


def _known(view: View) -> "pd.Series[float]":
    """Return the accuracies in view by architecture; none without a table."""
    if view.table is None:
        return pd.Series(dtype=float)
    known: pd.Series[float] = view.accuracy().set_index("architecture")["accuracy_mean"].dropna()
    return known


def _show_result(view: View, plan: SearchPlan, frame: pd.DataFrame) -> None:
    """Say what was found, and what selection by supernet accuracy would have taken."""
    complete = [
        seed for seed in plan.seeds if all(plan.find(name, seed).done for name in plan.place.spaces)
    ]
    shown = frame[frame["seed"].isin(complete or plan.seeds[:1])]
    known = _known(view)
    found = found_by_seed(shown, known)
    with st.container(border=True, key="result"):
        if found.empty:
            missing = f"no table in view has {view.kind} accuracies" if view.table is None else ""
            if view.limit is not None and not frame.empty:
                missing = "nothing that was found is within the limit of the cost"
            st.markdown(f"Nothing to compare yet: {missing or 'no search has finished an epoch'}.")
            return
        text, cell = st.columns([3, 2], vertical_alignment="center")
        chosen = found[found["choice"] == "best"].sort_values("rank").iloc[0]
        with text:
            if plan.request.evidence.conclusive:
                terms = explain("sub-supernet", "supernet accuracy", "benchmark accuracy")
                said = _result_text(found, view, len(known), bool(complete))
                st.markdown(said, help=terms)
            else:
                st.markdown("Smoke test: these searches only show that everything works.")
            st.caption(plain(", ".join(plan.notes)))
            if plan.place.split is not None and complete:
                link_to(HALVING, "Replay in Halving", {"curves": plan.key})
            architecture = Architecture.from_index(int(chosen["architecture"]), view.space)
            st.code(architecture.to_string(), language=None, wrap_lines=True)
        with cell:
            title = f"Found by {chosen['sub_space']}, seed {chosen['seed']}"
            show_figure(cell_figure(architecture, title), "result_cell")


def _result_text(found: pd.DataFrame, view: View, size: int, complete: bool) -> str:
    """Write the result of one seed, or the means of several with the result of each."""
    task, what_score = view.task, f"{view.kind} {view.task.score}"
    best = found[found["choice"] == "best"].to_dict("records")
    selected = found[found["choice"] == "selected"].to_dict("records")
    several = len(best) > 1

    def what(row: dict[Any, Any], first: bool) -> str:
        if pd.isna(row["rank"]):
            return f"an architecture that is {_unknown(view)}"
        rank = f"{_ordinal(int(row['rank']))} of {size:,}" if first else _ordinal(int(row["rank"]))
        score = plain(task.text(row["benchmark_accuracy"]))
        return f"{score}{f' {what_score}' * first}, {rank}"

    def each(rows: list[dict[Any, Any]]) -> str:
        return "; ".join(f"{r['sub_space']} {what(r, False)} (seed {r['seed']})" for r in rows)

    def mean(rows: list[dict[Any, Any]]) -> str:
        values = pd.Series([row["benchmark_accuracy"] for row in rows])
        if task.percent:
            return f"{values.mean():.2f} ± {values.std():.2f}%"
        return f"{values.mean():.4g} ± {values.std():.2g} {plain(task.stored_unit)}"

    if several:
        return (
            f"**The best architecture found has {mean(best)} {what_score}, over {len(best)} "
            f"seeds:** {each(best)}, of {size:,}. Selection by supernet accuracy takes "
            f"{mean(selected)}: {each(selected)}."
        )
    [top], [taken] = best, selected
    so_far = "" if complete else " so far"
    text = f"**{top['sub_space']} found the best architecture{so_far}: {what(top, True)}.**"
    if top["sub_space"] == taken["sub_space"]:
        return f"{text} Selection by supernet accuracy takes it, too."
    lost = top["benchmark_accuracy"] - taken["benchmark_accuracy"]
    return (
        f"{text} Selection by supernet accuracy takes {taken['sub_space']}, which found "
        f"{what(taken, False)}"
        + ("." if pd.isna(lost) else f": {plain(regret_text(lost, task.stored_unit))} less.")
    )


def _unknown(view: View) -> str:
    return "not within the limit of the cost" if view.limit else "not in the table"


def _ordinal(number: int) -> str:
    last = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number:,}{last or 'th'}"


def _show_state(workspace: Workspace, plan: SearchPlan) -> None:
    text, button = st.columns([3, 1], vertical_alignment="center")
    left = _left_text(workspace, plan.active)
    text.markdown(f"**{plan.summary}**" + (f" · about {left} left" if left else ""))
    for search in plan.active:
        if search.status is not None and search.status.state is State.RUNNING:
            text.caption(plain(f"{search.title}: {search.status.message}"))
    if plan.active:
        if button.button("Stop", key="stop", icon=":material/stop:", width="stretch"):
            with show_errors():
                with st.spinner("Stopping"):
                    cancel_all([search.folder for search in plan.active])
                st.rerun()
    elif plan.missing:
        resumed = any(search.status is not None for search in plan.missing)
        label = f"{'Resume' if resumed else 'Start'} {len(plan.missing)} missing"
        icon = ":material/resume:" if resumed else ":material/play_arrow:"
        if button.button(label, key="resume", icon=icon, width="stretch"):
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


def _show_curves(view: View, plan: SearchPlan, frame: pd.DataFrame) -> None:
    """Draw one measure over epochs, means and bands over seeds or single curves; list searches."""
    one = len(plan.seeds) == 1
    left, slider, toggle = st.columns([16, 4, 4], vertical_alignment="bottom")
    measure = choose_one(
        "Curves",
        EPOCH_MEASURES,
        "measure",
        left,
        wrap=True,
        format_func=lambda name: epoch_measure(name, view.task.stored_unit).label,
        help="The supernet's validation accuracy is measured by the search, with shared weights on "
        "held-out images. The benchmark accuracy is that of the architecture that the search would "
        "return, from the table in view.",
    )
    text = "Weight of the exponential moving average over epochs; 0 draws what was measured."
    weight = slider.slider(
        "Smoothing", 0.0, 0.95, 0.0, 0.05, key="smoothing", bind="query-params", help=text
    )
    single = one or toggle.toggle("Single curves", key="single", bind="query-params")
    drawn = smooth(frame, measure, weight)
    caption = [f"exponential moving average, weight {weight:g}"] if weight else []
    if not single:
        drawn = mean_over_seeds(drawn, measure)
        caption.append(f"mean of {len(plan.seeds)} seeds, band: lowest to highest")
    started = set(drawn["sub_space"])
    if missing := [name for name in plan.place.spaces if name not in started]:
        caption.append(f"no epoch yet: {', '.join(missing)}")
    looked_up = measure == "benchmark_accuracy"
    if looked_up and view.table is None:
        st.info(f"No table in view has {view.kind} accuracies.", icon=":material/table_chart:")
    guessing = 100 / DATASETS.get(view.dataset).classes
    figure = epochs_figure(
        drawn,
        measure,
        plan.request.options.epochs,
        running={search.name for search in plan.searches if search.state == "running"},
        random_accuracy=guessing if measure == "valid_accuracy" else None,
        axis_title=view.axis_title if looked_up and view.table else None,
        caption=[*caption, *plan.notes],
        unit=view.task.stored_unit,
    )
    parts = [*(view.source if looked_up else []), *plan_source(plan)]
    show_figure(figure, "search_curves", source=parts)
    repeat = plan_command(plan.request, plan.place.split_name, plan.seeds)
    show_source(parts, repeat, "search_curves_source", drawn)
    _show_table(view, plan)


def _show_table(view: View, plan: SearchPlan) -> None:
    known, rows = _known(view), []
    for search in plan.searches:
        last: Mapping[str, Any] = next(reversed(search.records()), {})
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
    task = view.task
    found = f"Benchmark {view.kind} {task.score} of the architecture found, in {task.stored_unit}"
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
            "found": numbers(task.form, found, 70, "found %" if task.percent else "found"),
        },
        export="searches",
        source=[plan.label, *plan.notes],
        key="searches",
        column_order=["sub-space", *seed, "state", "epochs", "found", "supernet", "left", "size"],
        height="content" if len(rows) <= _ROWS else 28 * _ROWS + 36,
        row_height=28,
    )


def _choose_search(plan: SearchPlan) -> PlannedSearch:
    left, right = st.columns([3, 1])
    names = {name: name for name in plan.place.spaces}
    seeds = {str(seed): str(seed) for seed in plan.seeds}
    control = left.segmented_control
    name = choose_option(control, "Sub-supernet", names, "sub_space", required=True)
    seed = plan.seeds[0]
    if len(seeds) > 1:
        seed = int(choose_option(right.selectbox, "Seed", seeds, "seed"))
    return plan.find(name, seed)


def _show_detail(view: View, plan: SearchPlan) -> None:
    search = _choose_search(plan)
    records, seed = search.records(), search.request.seed
    st.subheader(search.title)
    if not records:
        st.caption("No epoch of this search is done yet.")
        return
    end, caption = search.request.options.epochs, plan.notes
    source = [f"run {search.folder.run_id}", f"seed {seed}"]
    source += request_source(search.request, plan.synthetic)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = probabilities_figure(records, search.request.sub_space, end, caption)
        show_figure(figure, "probabilities", source=source)
    with right:
        _show_found(view, records[-1])
    searches = [(search.name, seed, records)]
    frame = search_epochs(searches, view.accuracy() if view.table else None)
    parts = [*view.source, *source]
    show_figure(search_panels_figure(frame, end, caption), "search_panels", source=parts)
    show_source(parts, command(search.request), "search_detail_source", frame)


def _show_found(view: View, record: dict[str, Any]) -> None:
    """Draw the architecture that the search would return now, with its benchmark accuracy."""
    architecture = Architecture.from_index(record["architecture_index"], view.space)
    show_architecture(architecture, f"Found by epoch {record['epoch']}", "found_cell")
    st.metric(
        "Supernet's validation accuracy",
        f"{record['valid_accuracy']:.2f}%",
        help="Measured by the search: shared weights, held-out images.",
    )
    if view.table is None:
        st.metric(f"Benchmark {view.task.score}", "no table")
        return
    known = _known(view)
    value = known.get(architecture.index)
    st.metric(
        f"Benchmark {view.kind} {view.task.score}",
        _unknown(view) if value is None else plain(view.task.text(value)),
        help=plain(f"Of this architecture, trained by itself; table {view.table.label}."),
    )
    if value is not None:
        st.caption(
            f"Rank {1 + int((known > value).sum()):,} of {len(known):,} by {view.kind} "
            f"{view.task.score} in the table {plain(view.table.label)}."
        )


@show_errors()
def _show_proxy(view: View, plan: SearchPlan) -> None:
    """Show how well the shared weights of a search rank architectures, or offer to measure it."""
    search = _choose_search(plan)
    st.markdown("Do the shared weights rank architectures as a table of trained ones does?")
    own = [
        run
        for run in view.workspace.runs()
        if isinstance(run.request, ProxyRequest) and run.request.run == search.folder.run_id
    ]
    for folder in (run.folder for run in own if run.active):
        show_running(folder, "**Proxy quality**", lambda _: [])
        return
    for folder in (run.folder for run in own if run.state == State.DONE.value):
        if view.table is not None:
            _draw_proxy(view, folder, plan.notes)
        query = {"estimates": f"{folder.run_id}:supernet_accuracy"}
        link_to(ESTIMATES, "Compare it with other estimates", query)
        return
    if not search.done or not (search.folder.path / CHECKPOINT).exists():
        why = "came without its weights" if search.done else "is not done"
        st.caption(f"It cannot be measured: the search {why}.")
        return
    settings: Any = {"device": search.request.device, "space": view.space.name}
    request = ProxyRequest(view.dataset, search.folder.run_id, **settings)
    seconds = estimate_seconds(view.workspace.data_dir, request)
    st.caption(
        f"{request.sample} random architectures of {search.name} are evaluated with its shared "
        f"weights on the held-out images{f': about {duration_text(seconds)}' if seconds else ''}."
    )
    if st.button("Measure proxy quality", key="measure_proxy", icon=":material/play_arrow:"):
        view.workspace.start([request])
        st.rerun()


def _draw_proxy(view: View, folder: RunFolder, caption: list[str]) -> None:
    shared = read_shared(folder.path)
    correlation, frame = compare(shared, view.accuracy())
    found = "fewer than two architectures are in the table"
    if correlation is not None:
        found = f"Kendall's tau {correlation_text(correlation.kendall)}"
    unit = view.task.stored_unit
    figure = shared_accuracy_figure(frame, found, view.axis_title, caption, unit)
    parts = [
        *view.source,
        f"run {folder.run_id}",
        f"weights of epoch {shared.epoch}",
        f"{shared.images:,} held-out images",
        f"{len(shared.architectures)} architectures sampled with seed {shared.seed}",
    ]
    show_figure(figure, "shared_accuracy", source=parts)
    repeat = f"{command(folder.request())} --accuracy {view.kind}"
    show_source(parts, repeat, "shared_accuracy_source", frame)
