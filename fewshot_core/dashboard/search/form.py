"""The form of the Search page: plan, cost, start, and supernet training."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from fewshot_core.dashboard.search.plans import (
    Place,
    PlannedSearch,
    SearchPlan,
    make_plan,
    place_of,
)
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.requests import (
    choose_device,
    choose_options,
    choose_preset,
    choose_source,
    show_options,
)
from fewshot_core.dashboard.shared.sidebar import View, publish, recall_option
from fewshot_core.dashboard.shared.splits import request_label
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.errors import CheckpointError, FewshotError
from fewshot_core.images import find_source
from fewshot_core.networks import check_checkpoint
from fewshot_core.runs import (
    RunFolder,
    SearchRequest,
    State,
    TrainingRequest,
    cancel,
    estimate_seconds,
    find_finished,
    is_active,
    measure,
    run_folder,
    start,
)
from fewshot_core.runs.jobs import start_all
from fewshot_core.search import (
    ALGORITHMS,
    PRESETS,
    SAMPLINGS,
    TRAINED_ON,
    SearchOptions,
    TrainingOptions,
    list_algorithms,
)
from fewshot_core.search.records import CHECKPOINT
from fewshot_core.space import SubSpace

STARTED = "plan_started"
"""Where the session keeps that the plan of the form was just started, to bring it into view."""


def show_start(workspace: Workspace, plan: SearchPlan | None) -> None:
    """Say how many searches a plan has and how long they take, with the button that starts it."""
    if plan is None:
        st.button("Start", key="start", type="primary", disabled=True, width="stretch")
        return
    plan = plan.seen()
    missing = [search for search in unfinished(plan) if not search.is_active()]
    if any(search.is_active() for search in plan.searches):
        st.markdown(f"**{_searches(len(plan.searches))}**, on their way.")
    else:
        st.markdown(f"**{count_text(plan)}**")
    if missing:
        _show_cost(workspace, plan, missing)
    resumed = sum(search.status() is not None for search in missing)
    label = f"Start {_searches(len(missing))}" if missing else "Start"
    if resumed:
        st.caption(f"{resumed} of them go on where they were.")
    if st.button(
        label,
        key="start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not missing,
        width="stretch",
    ):
        st.session_state[STARTED] = True
        begin(workspace, plan)


def begin(workspace: Workspace, plan: SearchPlan) -> None:
    """Start what is not done of a plan, and run the page again."""
    requests = [search.request for search in unfinished(plan)]
    try:
        with st.spinner(f"Starting {_searches(len(requests))}"):
            start_all(requests, workspace.data_dir)
    except (FewshotError, OSError) as error:
        st.error(f"The searches could not be started: {error}")
        return
    st.rerun()


def unfinished(plan: SearchPlan) -> list[PlannedSearch]:
    """Return the searches of a plan that are not done."""
    return [search for search in plan.searches if not search.is_done()]


def count_text(plan: SearchPlan) -> str:
    """Return how many searches there are, and in which states: "8 searches: 3 done, 5 to do"."""
    states = Counter(state_word(search) for search in plan.searches)
    if set(states) == {"not started"}:
        return _searches(len(plan.searches))
    parts = ", ".join(f"{count} {word}" for word, count in sorted(states.items(), key=_order))
    return f"{_searches(len(plan.searches))}: {parts}"


def state_word(search: PlannedSearch) -> str:
    """Return what a search is doing, in a word or two."""
    status = search.status()
    if status is None:
        return "not started"
    return "waiting" if status.state is State.QUEUED else status.state.value


def cost(workspace: Workspace, searches: list[PlannedSearch]) -> float | None:
    """Return the seconds some searches will still take, or None where that is not known.

    Raises:
        ImagesError: If their images are missing.
    """
    total = 0.0
    for search in searches:
        status = search.status()
        left = status.seconds_left if status is not None else None
        if left is None:
            left = _fresh_cost(workspace, search)
        if left is None:
            return None
        total += left
    return total


def _fresh_cost(workspace: Workspace, search: PlannedSearch) -> float | None:
    """Return the seconds of the epochs of a search that no checkpoint has yet."""
    seconds = estimate_seconds(workspace.data_dir, search.request)
    if seconds is None or search.status() is None:
        return seconds
    done = max(0, len(search.folder.records()) - 1)
    return seconds * (1 - done / search.request.options.epochs)


def _show_cost(workspace: Workspace, plan: SearchPlan, searches: list[PlannedSearch]) -> None:
    try:
        seconds = cost(workspace, searches)
    except (FewshotError, OSError) as error:
        st.error(str(error))
        return
    if seconds is None:
        st.caption("No search of this kind was timed on this device yet.")
        if st.button("Measure a few steps", key="measure", icon=":material/timer:"):
            _measure(workspace, plan)
        return
    each = duration_text(seconds / len(searches))
    text = f"About {duration_text(seconds)}"
    text += f" in all, {each} each" if len(searches) > 1 else ""
    st.caption(f"{text}, by steps measured on this device. They take turns on it.")


def _measure(workspace: Workspace, plan: SearchPlan) -> None:
    """Measure the largest sub-space: the others are estimated from it."""
    largest = max(plan.searches, key=lambda search: search.request.sub_space.size)
    try:
        with st.spinner("Doing a few steps in a process of their own"):
            measure(workspace.data_dir, largest.request)
    except (FewshotError, OSError) as error:
        st.error(str(error))
        return
    st.rerun()


def _searches(count: int) -> str:
    return f"{count} search{'es' * (count != 1)}"


_ORDER = ("done", "running", "waiting", "failed", "cancelled", "lost", "not started")


def _order(item: tuple[str, int]) -> int:
    return _ORDER.index(item[0])


POLL_SECONDS = 2.0


def list_trainings(workspace: Workspace, dataset: str) -> dict[str, TrainingRequest]:
    """Return what was asked of the finished trainings by their runs, the latest first."""
    rows = workspace.store.trainings(dataset).to_dict("records")
    return {str(r["run_id"]): TrainingRequest.from_dict(json.loads(r["request"])) for r in rows}


def show_training(workspace: Workspace, dataset: str) -> None:
    """Offer to train a supernet whose weights searches can inherit, and show how that goes."""
    with st.expander("Train a supernet", icon=":material/model_training:"):
        st.caption(
            "Searches can then inherit its weights. Preset, images and device are those above."
        )
        request = _choose_training(dataset)
        if request is not None:
            _show_start(workspace, request)
            show_options(request.options, "training_options", narrow=True)
    for run in workspace.runs():
        if run.active and run.kind == "train" and is_active(run.folder):
            _show_going(run.folder)


def _choose_training(dataset: str) -> TrainingRequest | None:
    """Choose a training; what it shares with searches is what the form above has."""
    preset = str(st.session_state["preset"])
    usual = PRESETS.get(preset).training
    left, right = st.columns(2)
    epochs = left.number_input(
        "Epochs",
        min_value=1,
        value=usual.epochs,
        key=f"{preset}_training_epochs",
    )
    seed = right.number_input("Seed", min_value=0, value=0, key="training_seed")
    sampling = _choose_named("A batch trains", "sampling", SAMPLINGS)
    trained_on = _choose_named("Trained on", "trained_on", TRAINED_ON)
    try:
        options = replace(usual, epochs=int(epochs), sampling=sampling, trained_on=trained_on)
        images = st.session_state[f"images_{dataset}"]
        return TrainingRequest(dataset, options, int(seed), images, st.session_state["device"])
    except FewshotError as error:
        st.error(str(error))
        return None


def _choose_named(label: str, key: str, texts: Mapping[str, str]) -> str:
    chosen = st.segmented_control(
        label,
        list(texts),
        default=next(iter(texts)),
        required=True,
        key=key,
        help="; ".join(f"{name}: {text}" for name, text in texts.items()),
    )
    return str(chosen)


def _show_start(workspace: Workspace, request: TrainingRequest) -> None:
    try:
        known = find_finished(request, workspace.data_dir)
        seconds = estimate_seconds(workspace.data_dir, request)
    except (FewshotError, OSError) as error:
        st.error(str(error))
        return
    if known is not None:
        going = known.status().state.active
        st.caption("This is being trained." if going else "Trained: choose it under *Weights*.")
    elif seconds is None:
        st.caption("No training of this kind was timed on this device yet.")
    else:
        st.caption(f"About {duration_text(seconds)}.")
    if st.button(
        "Start training",
        key="start_training",
        disabled=known is not None,
        icon=":material/play_arrow:",
        width="stretch",
    ):
        try:
            start(request, workspace.data_dir)
        except (FewshotError, OSError) as error:
            st.error(f"The training could not be started: {error}")
            return
        st.rerun()


@st.fragment(run_every=POLL_SECONDS)
def _show_going(folder: RunFolder) -> None:
    """Show how a training goes, again and again until it ends."""
    if not is_active(folder):
        st.rerun()
    status, records = folder.status(), folder.records()
    with st.container(border=True):
        st.markdown(f"**Supernet** of {DATASETS.get(folder.request().dataset).label}")
        parts = [status.message]
        if status.seconds_left is not None:
            parts.append(f"{duration_text(status.seconds_left)} left")
        if records and records[-1]["valid_accuracy"] is not None:
            parts.append(f"validation accuracy {records[-1]['valid_accuracy']:.2f}%")
        st.progress(status.done / status.total if status.total else 0.0, " · ".join(parts))
        if st.button("Cancel", key=f"cancel_{folder.run_id}", icon=":material/cancel:"):
            cancel(folder)
            st.rerun()


_WHERE = "where"
_SPLIT, _WHOLE = "split", "whole"
_PLACES = {_SPLIT: "the split's sub-spaces", _WHOLE: "the whole space"}
_SEEDS = ("777", "888", "999")
_FRESH, _FILE = "fresh", "file"


def choose_place(view: View) -> Place | None:
    """Choose where to search; None where the split in view is meant and there is none."""
    recall_option(_WHERE, list(_PLACES))
    chosen = st.segmented_control(
        "Search in",
        list(_PLACES),
        required=True,
        key=_WHERE,
        format_func=_PLACES.__getitem__,
        help="The split in view is chosen in the sidebar. The whole space is the one-shot search "
        "without splitting.",
    )
    publish(_WHERE, _SPLIT)
    if chosen == _WHOLE:
        return place_of(None)
    if view.split is None:
        return None
    st.caption(f"{view.split.label}: {len(view.split.leaves)} sub-spaces")
    return place_of(view.split)


def choose_plan(workspace: Workspace, view: View, place: Place | None) -> SearchPlan | None:
    """Draw the form and return what it asks for; None where that is not possible as it stands."""
    algorithm = _choose_algorithm()
    preset = choose_preset()
    options = choose_options(preset)
    seeds = _choose_seeds()
    images = choose_source(workspace, view.dataset)
    checkpoint, usable = _choose_weights(workspace, view.dataset, options)
    device = choose_device()
    compute = _choose_compute(device)
    if place is None or options is None or not seeds or not usable:
        return None
    try:
        rows = tuple(SubSpace.full().rows)
        request = SearchRequest(
            view.dataset, algorithm, rows, options, 0, images, checkpoint, device, **compute
        )
        fingerprints = request.fingerprints(workspace.data_dir)
        synthetic = find_source(view.dataset, images, workspace.data_dir).synthetic
        return make_plan(request, place, seeds, fingerprints, synthetic, workspace.data_dir)
    except (FewshotError, OSError) as error:
        st.error(str(error))
        return None


def _choose_algorithm() -> str:
    chosen = st.selectbox(
        "Algorithm",
        list_algorithms(),
        index=list_algorithms().index("snas"),
        key="algorithm",
        bind="query-params",
        format_func=lambda name: ALGORITHMS.get(name).label,
        help="\n\n".join(
            f"**{info.label}**: {info.description} {info.source}." for info in ALGORITHMS
        ),
    )
    info = ALGORITHMS.get(chosen)
    st.caption(f"{info.description} {info.source}.")
    return str(chosen)


def _choose_seeds() -> list[int]:
    chosen = st.multiselect(
        "Seeds",
        list(_SEEDS),
        default=list(_SEEDS[:1]),
        accept_new_options=True,
        key="seeds",
        bind="query-params",
        help="Each seed is a search of its own in every sub-space. The paper has these three; "
        "type any other whole number.",
    )
    parts = [part for text in chosen for part in text.replace(",", " ").split()]
    wrong = [text for text in parts if not (text.isascii() and text.isdecimal())]
    if wrong:
        st.error(f"Expected seeds that are whole numbers from 0, got {wrong[0]!r}.")
        return []
    if not parts:
        st.error("Choose at least one seed.")
    return sorted({int(text) for text in parts})


def _choose_weights(
    workspace: Workspace, dataset: str, options: SearchOptions | None
) -> tuple[str | None, bool]:
    """Choose what weights a search starts with; return a checkpoint and whether it can be used."""
    trained = list_trainings(workspace, dataset)
    labels = {_FRESH: "start afresh, as in the paper"}
    labels |= {run: request_label(request, run) for run, request in trained.items()}
    labels[_FILE] = "from a file"
    chosen = st.selectbox(
        "Weights",
        list(labels),
        key="weights",
        bind="query-params",
        format_func=labels.__getitem__,
        help="In the original few-shot NAS every sub-supernet inherits the weights of the trained "
        "supernet; the paper restarts them, to avoid bias.",
    )
    if chosen == _FRESH:
        return None, True
    if chosen == _FILE:
        return _choose_file()
    training = trained[chosen].options
    problem = _mismatch(training, options)
    if problem:
        st.error(problem)
        return None, False
    if options is not None and _has_seen(training, options):
        st.warning(
            "This supernet was trained on images that the search holds out: its validation "
            "accuracy is not one on unseen images.",
            icon=":material/visibility:",
        )
    return str(run_folder(chosen, workspace.data_dir).path / CHECKPOINT), True


def _choose_file() -> tuple[str | None, bool]:
    text = st.text_input("Checkpoint", key="inherit", bind="query-params", placeholder="path")
    if not text.strip():
        return None, False
    path = Path(text.strip()).expanduser()
    try:
        check_checkpoint(path)
    except CheckpointError as error:
        st.error(str(error))
        return None, False
    return str(path.resolve()), True


def _mismatch(training: TrainingOptions, options: SearchOptions | None) -> str | None:
    """Return why a search cannot inherit the weights of a training, or None where it can."""
    if options is None:
        return None
    sizes = [f"{each.channels}x{each.cells_per_stage}" for each in (training, options)]
    if sizes[0] == sizes[1]:
        return None
    return (
        f"This supernet has channels x cells {sizes[0]}, the search {sizes[1]}: give both the same."
    )


def _has_seen(training: TrainingOptions, options: SearchOptions) -> bool:
    """Whether a training may have seen what a search holds out."""
    same = (training.images, training.split_seed) == (options.images, options.split_seed)
    return training.trained_on == "all" or not same


def _choose_compute(device: str) -> dict[str, Any]:
    with st.expander("Computing", icon=":material/memory:"):
        compiled = st.toggle(
            "Compile the network",
            key="compiled",
            bind="query-params",
            help="torch.compile: takes a while to begin and pays off in long searches.",
        )
        full = st.toggle(
            "Full precision",
            key="full_precision",
            bind="query-params",
            disabled=device != "cuda",
            help="Without it, CUDA computes in bfloat16 where the algorithm can.",
        )
    return {"mixed_precision": not full, "compiled": compiled}
