"""The form of the Search page: where to search, how, and with which seeds."""

from pathlib import Path
from typing import Any

import streamlit as st

from fewshot_core.checkpoint_file import check_checkpoint
from fewshot_core.dashboard.links import publish, recall_option
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.request_labels import request_label
from fewshot_core.dashboard.request_parts import choose_device, choose_source
from fewshot_core.dashboard.search_options import choose_options, choose_preset
from fewshot_core.dashboard.search_plans import Place, SearchPlan, make_plan, place_of
from fewshot_core.dashboard.trainings import list_trainings
from fewshot_core.dashboard.views import View
from fewshot_core.errors import CheckpointError, FewshotError
from fewshot_core.images import find_source
from fewshot_core.runs import run_folder
from fewshot_core.search import (
    ALGORITHMS,
    SearchOptions,
    SearchRequest,
    TrainingOptions,
    list_algorithms,
)
from fewshot_core.search.layout import CHECKPOINT
from fewshot_core.space import SubSpace

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
