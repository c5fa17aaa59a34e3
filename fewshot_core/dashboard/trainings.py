"""Trained supernets: which there are, training one, and watching that."""

import json
from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.search_options import show_options
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.runs import (
    RunFolder,
    answered,
    cancel,
    estimate_seconds,
    is_active,
    start,
)
from fewshot_core.search import PRESETS, SAMPLINGS, TRAINED_ON, TrainingRequest

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
        known = answered(request, workspace.data_dir)
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
