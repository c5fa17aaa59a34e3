"""The dialog *New search*: a plan with its cost and start, and supernet training."""

import json
import re
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from fewshot_core.dashboard.search.plans import Place, PlannedSearch, SearchPlan, make_plan
from fewshot_core.dashboard.shared.controls import (
    choose_from,
    choose_one,
    counted,
    labels_of,
    notify,
    offer_start,
    plain,
    show_errors,
    show_running,
)
from fewshot_core.dashboard.shared.page import (
    NEW_SEARCH,
    Workspace,
    close_forms,
    form_is_open,
    open_form,
)
from fewshot_core.dashboard.shared.requests import (
    choose_checkpoint,
    choose_device,
    choose_options,
    choose_preset,
    choose_source,
    show_options,
    show_time,
)
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import dataset_label, request_label
from fewshot_core.dashboard.shared.url import (
    choose_option,
    find_missing,
    show_missing,
    with_missing,
)
from fewshot_core.runs import (
    RunFolder,
    TrainingRequest,
    estimate_seconds,
    find_finished,
    run_folder,
)
from fewshot_core.runs.estimate import duration_text, total_left
from fewshot_core.search import (
    ALGORITHMS,
    PRECISIONS,
    PRESETS,
    SAMPLINGS,
    TRAINED_ON,
    SearchOptions,
    list_algorithms,
)
from fewshot_core.search.records import CHECKPOINT

STARTED = "plan_started"
"""Session key: the plan that was just started, and is to be shown."""

_SPLIT, _WHOLE = "split", "whole"
_PLACES = {_SPLIT: "the split's sub-spaces", _WHOLE: "the whole space"}
_SEEDS = ("777", "888", "999")
_RANDOM, _FILE = "random", "file"


def choose_place(view: View) -> Place | None:
    """Choose where to search; None where the split in view is meant and there is none."""
    text = (
        "The split in view is chosen in the sidebar. The whole space is one-shot search without "
        "splitting."
    )
    control = partial(st.segmented_control, required=True, help=text)
    chosen = choose_option(control, "Search in", _PLACES, "where")
    if chosen == _WHOLE:
        return Place(view.space)
    return None if view.split is None else Place(view.space, view.split)


def offer_new_search(view: View, place: Place) -> None:
    """Draw the button *New search* and, where it was clicked, its dialog."""
    icon = ":material/add:"
    st.button("New search", "new_search", icon=icon, on_click=open_form, args=(NEW_SEARCH,))
    if form_is_open(NEW_SEARCH):
        _show_dialog(view, place)


@st.dialog("New search", width="large", on_dismiss=close_forms)
def _show_dialog(view: View, place: Place) -> None:
    plan = _choose_plan(view, place)
    show_start(view.workspace, plan)
    _offer_training(view)


def _choose_plan(view: View, place: Place) -> SearchPlan | None:
    """Draw the form and return its plan; None where that is not possible."""
    left, right = st.columns(2, gap="medium")
    with left:
        algorithm = _choose_algorithm()
        preset = choose_preset()
    with right:
        seeds = _choose_seeds()
        images = choose_source(view)
    with st.expander("Advanced", icon=":material/tune:", key="advanced_panel"):
        options = choose_options(preset, view.space)
        checkpoint, usable = _choose_weights(view, options)
        device = choose_device()
        compute = _choose_compute(device)
        if options is not None:
            show_options(options, "options", algorithm)
    if options is None or not seeds or not usable:
        return None
    return make_plan(
        view.workspace,
        place,
        seeds,
        dataset=view.dataset,
        algorithm=algorithm,
        options=options,
        images=images,
        checkpoint=checkpoint,
        device=device,
        **compute,
    )


def _choose_algorithm() -> str:
    text = "\n\n".join(
        f"**{info.label}**: {info.description} {info.source}." for info in ALGORITHMS
    )
    settings = {"index": list_algorithms().index("snas"), "help": text}
    chosen = choose_from("Algorithm", labels_of(ALGORITHMS), "algorithm", **settings)
    info = ALGORITHMS.get(chosen)
    st.caption(f"{info.description} {info.source}.")
    return chosen


def _choose_seeds() -> list[int]:
    chosen = st.multiselect(
        "Seeds",
        list(_SEEDS),
        default=list(_SEEDS[:1]),
        accept_new_options=True,
        key="seeds",
        bind="query-params",
        help="Each seed is another search in every sub-space. The paper uses these three; type "
        "any other whole number.",
    )
    parts = [part for text in chosen for part in text.replace(",", " ").split()]
    wrong = [text for text in parts if not re.fullmatch("[0-9]{1,18}", text)]
    if wrong:
        st.error(f"Expected seeds that are whole numbers from 0, got {wrong[0]!r}.")
        return []
    if not parts:
        st.error("Choose at least one seed.")
    return sorted({int(text) for text in parts})


def _choose_weights(view: View, options: SearchOptions | None) -> tuple[str | None, bool]:
    """Choose the initial weights; return a checkpoint, if any, and whether the choice is valid."""
    trainings = view.workspace.store.trainings(view.dataset, view.space.name)
    rows = trainings.to_dict("records")
    trained = {str(r["run_id"]): TrainingRequest.from_dict(json.loads(r["request"])) for r in rows}
    labels = {_RANDOM: "random initialisation, as in the paper"}
    labels |= {run: request_label(request, run) for run, request in trained.items()}
    labels[_FILE] = "from a file"
    text = (
        "In the original few-shot NAS every sub-supernet inherits the weights of the trained "
        "supernet; in the paper each one is initialised again, to avoid bias."
    )
    missing = find_missing("weights", labels, view.dataset)
    labels = with_missing(labels, missing)
    chosen = choose_option(st.selectbox, "Weights", labels, "weights", _RANDOM, help=text)
    if chosen == missing:
        show_missing([missing])
        return None, False
    if chosen == _RANDOM:
        return None, True
    if chosen == _FILE:
        with show_errors():
            checkpoint = choose_checkpoint("Checkpoint", "inherit")
            return checkpoint, checkpoint is not None
        return None, False
    training = trained[chosen].options
    if options is not None:
        sizes = [f"{each.channels}x{each.cells_per_stage}" for each in (training, options)]
        if sizes[0] != sizes[1]:
            st.error(
                f"This supernet has channels x cells {sizes[0]}, the search {sizes[1]}: choose "
                "the same for both."
            )
            return None, False
        same = (training.images, training.split_seed) == (options.images, options.split_seed)
        if training.trained_on == "all" or not same:
            st.warning(
                "This supernet was trained on images that the search holds out: its validation "
                "accuracy is not one on unseen images.",
                icon=":material/visibility:",
            )
    return str(run_folder(chosen, view.workspace.data_dir).path / CHECKPOINT), True


def _choose_compute(device: str) -> dict[str, Any]:
    text = "torch.compile: slow to begin, faster in long searches."
    compiled = st.toggle("Compile the network", key="compiled", bind="query-params", help=text)
    precision = st.selectbox(
        "Precision",
        list(PRECISIONS),
        key="precision",
        bind="query-params",
        disabled=device != "cuda",
        help=f"Of CUDA: {'; '.join(f'{name}, {meaning}' for name, meaning in PRECISIONS.items())}.",
    )
    return {"precision": precision, "compiled": compiled}


def show_start(workspace: Workspace, plan: SearchPlan | None) -> None:
    """Show the number of searches of a plan and their cost, with the button that starts them."""
    missing = plan.missing if plan else []
    label = "Start"
    if plan is not None:
        st.markdown(f"**{plan.summary}**")
        if missing:
            label = f"Start {counted(len(missing), 'search', 'searches')}"
            with show_errors():
                # The largest sub-space is timed: the others are estimated from it.
                largest = max(plan.searches, key=lambda search: search.request.sub_space.size)
                seconds = seconds_left(workspace, missing)
                show_time(workspace, seconds, largest.request, len(missing))
        if resumed := sum(search.status is not None for search in missing):
            st.caption(f"{resumed} of them will be resumed.")
    if offer_start(label, "start", disabled=not missing, type="primary") and plan is not None:
        start_missing(workspace, plan)


def start_missing(workspace: Workspace, plan: SearchPlan) -> None:
    """Start what is missing of a plan, and show it."""
    requests = [search.request for search in plan.missing]
    with show_errors("The searches could not be started: "):
        with st.spinner(f"Starting {counted(len(requests), 'search', 'searches')}"):
            workspace.start(requests)
        notify(f"Started {counted(len(requests), 'search', 'searches')}")
        st.session_state[STARTED] = plan.key
        close_forms()
        st.rerun()


def seconds_left(workspace: Workspace, searches: list[PlannedSearch]) -> float | None:
    """Return the seconds that some searches will still take, or None where that is not known.

    Raises:
        ImagesError: If their images are missing.
    """
    return total_left(
        workspace.data_dir,
        [(each.request, each.status, max(0, len(each.records()) - 1)) for each in searches],
    )


def _offer_training(view: View) -> None:
    with st.expander("Train a supernet", icon=":material/model_training:"):
        st.caption("Searches can then inherit its weights. Preset, images and device: as above.")
        with show_errors():
            request = _choose_training(view)
            _show_training_start(view.workspace, request)
            show_options(request.options, "training_options", narrow=True)


def show_trainings(view: View) -> None:
    """Show the progress of supernet training."""
    for folder in view.workspace.active_runs("train"):
        title = f"**Supernet** of {plain(dataset_label(folder.request()))}"
        show_running(folder, title, _training_details)


def _choose_training(view: View) -> TrainingRequest:
    """Choose a training; its other settings are those of the form."""
    preset = str(st.session_state["preset"])
    usual = PRESETS.get(preset).training
    left, right = st.columns(2)
    epochs = left.number_input("Epochs", 1, value=usual.epochs, key=f"{preset}_training_epochs")
    seed = right.number_input("Seed", 0, value=0, key="training_seed")
    sampling = choose_one("Each batch trains", SAMPLINGS, "sampling", session=True)
    trained_on = choose_one("Trained on", TRAINED_ON, "trained_on", session=True)
    options = replace(usual, epochs=epochs, sampling=sampling, trained_on=trained_on)
    images, device = st.session_state[f"images_{view.dataset}"], st.session_state["device"]
    name = view.space.name
    return TrainingRequest(view.dataset, options, seed, images, device, space=name)


def _show_training_start(workspace: Workspace, request: TrainingRequest) -> None:
    known = find_finished(request, workspace.data_dir)
    seconds = estimate_seconds(workspace.data_dir, request)
    if known is not None:
        active = known.status().state.active
        st.caption("This is being trained." if active else "Trained: choose it under *Weights*.")
    elif seconds is None:
        st.caption("No training of this kind was timed on this device yet.")
    else:
        st.caption(f"About {duration_text(seconds)}.")
    if offer_start("Start training", "start_training", disabled=known is not None):
        with show_errors("The training could not be started: "):
            workspace.start([request])
            close_forms()
            st.rerun()


def _training_details(folder: RunFolder) -> list[str]:
    accuracies = [record["valid_accuracy"] for record in folder.records()[-1:]]
    return [f"validation accuracy {value:.2f}%" for value in accuracies if value is not None]
