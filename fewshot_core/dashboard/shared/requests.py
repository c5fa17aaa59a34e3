"""Controls of requests: images, network, device, tree and presets."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import TextColumn

from fewshot_core.dashboard.shared.controls import (
    choose_from,
    choose_number,
    choose_one,
    listed,
    show_errors,
    show_table,
)
from fewshot_core.dashboard.shared.figures import in_columns
from fewshot_core.dashboard.shared.glossary import GLOSSARY
from fewshot_core.dashboard.shared.page import DATA, Workspace, link_to
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.data_folder import typed_path
from fewshot_core.images import list_sources
from fewshot_core.networks import BATCH_NORM_MODES, check_checkpoint
from fewshot_core.runs import EstimateRequest, Network, SearchRequest, available_devices, measure
from fewshot_core.runs.estimate import duration_text
from fewshot_core.search import ALGORITHMS, PRESETS, SearchOptions, TrainingOptions
from fewshot_core.search.options import SAMPLINGS, TRAINED_ON, as_text, override
from fewshot_core.space import SearchSpace
from fewshot_core.splitting import EDGE_POLICIES, WARM_UP_IMAGES

OPTION_TEXTS: Mapping[str, str] = {
    "epochs": "passes over the training half of the images",
    "batch_size": "images in a batch",
    "learning_rate": "of the weights (SGD), in the first epoch",
    "final_learning_rate": "of the last epoch, by cosine annealing",
    "momentum": "of the weights; in searches Nesterov's",
    "weight_decay": "of the weights",
    "gradient_clip": "largest norm of the weights' gradient",
    "architecture_learning_rate": "of the architecture parameters (Adam), constant",
    "architecture_betas": "decay rates of Adam's two means",
    "architecture_weight_decay": "of the architecture parameters",
    "temperature": "of the first epoch",
    "final_temperature": "of the last epoch",
    "temperature_schedule": "from the first to the last: cosine or linear",
    "stopping_threshold": "lead at which an edge's operation is fixed",
    "sampling": "; ".join(f"{name}: {text}" for name, text in SAMPLINGS.items()),
    "trained_on": "; ".join(f"{name}: {text}" for name, text in TRAINED_ON.items()),
    "channels": "of the first stage, doubled in each next one",
    "cells_per_stage": "cells in each of the three stages",
    "images": "half of them are held out; none means all of them",
    "split_seed": "which images, and which of them are held out",
    "augment": "random crops and flips",
}
"""The meaning of each option, with its unit where it has one."""


def readers_of(name: str) -> tuple[str, ...]:
    """Return the labels of the algorithms that alone read an option; none where all do."""
    return tuple(info.label for info in ALGORITHMS if name in info.options)


_DEVICES = {"cpu": "CPU", "cuda": "CUDA", "mps": "Apple GPU"}


def seen_images(dataset: str) -> str:
    """Return the session key of the sources that were there when one was chosen last."""
    return f"images of {dataset} that were seen"


def choose_source(view: View) -> str:
    """Choose the source of a data set's images; a warning names synthetic ones.

    One that is new since a source was chosen last, here or elsewhere, is chosen.
    """
    sources = {
        source.name: source
        for source in list_sources(view.dataset, view.workspace.data_dir)
        if source.problem is None
    }
    labels = {
        name: source.label if source.synthetic else f"{name} ({source.label})"
        for name, source in sources.items()
    }
    settings = {"bind": None, "persist_state": "session", "help": GLOSSARY["synthetic images"]}
    key, seen = f"images_{view.dataset}", seen_images(view.dataset)
    if new := [name for name in sources if name not in st.session_state.get(seen, sources)]:
        st.session_state[key] = new[-1]
    st.session_state[seen] = list(sources)
    chosen = choose_from("Images", labels, key, **settings)
    if sources[chosen].synthetic:
        label = view.task.label
        st.warning(f"Synthetic images, not {label}.", icon=":material/casino:")
        link_to(DATA, f"Add images of {label}")
    return chosen


def choose_sampling() -> dict[str, Any]:
    """Choose the batches of images; return the options of a request about them."""
    left, right = st.columns(2)
    text = "Images in a batch. The published splits used 16."
    size = choose_number("Batch size", "batch_size", 64, 1, 4096, left, help=text)
    text = "Scores are averaged over this many batches."
    batches = choose_number("Batches", "batches", 1, 1, 64, right, help=text)
    batch_seed = choose_number("Seed of batch sampling", "batch_seed", 0, place=left)
    norm = choose_one("Batch norm", BATCH_NORM_MODES, "batch_norm", right, default="batch")
    return {"batch_size": size, "batches": batches, "batch_norm": norm, "batch_seed": batch_seed}


def choose_network(space: SearchSpace) -> Network:
    """Choose the supernet of a space to score; its checkpoint is not checked."""
    left, right = st.columns(2)
    cells = Network().cells_per_stage
    if space.fixed_depth:
        text = "16 is the full width, in which the first stage may have another number of channels."
        channels = choose_number("Width", "channels", 16, 1, 256, left, help=text)
        left, right = right, left
    else:
        text = "Of the first stage; 16 in the paper."
        channels = choose_number("Channels", "channels", 16, 1, 256, left, help=text)
        text = "5 in the paper."
        cells = choose_number("Cells per stage", "cells", 5, 1, 20, right, help=text)
    seed = choose_number("Seed of the weights", "network_seed", 0, place=left)
    text = (
        "A file written by torch.save with the state of a supernet of this size. Without one the "
        "network is untrained."
    )
    return Network(channels, cells, seed, _type_path("Trained weights", "checkpoint", right, text))


def choose_checkpoint(label: str, key: str) -> str | None:
    """Choose a checkpoint by its path; None without one.

    Raises:
        FewshotError: If there is no such file, or it is not a checkpoint.
    """
    path = _type_path(label, key)
    if path is not None:
        check_checkpoint(Path(path))
    return path


def _type_path(label: str, key: str, place: Any = st, text: str | None = None) -> str | None:
    settings = {"bind": "query-params", "placeholder": "path of a checkpoint", "help": text}
    typed = place.text_input(label, key=key, **settings).strip()
    return os.path.realpath(typed_path(typed)) if typed else None


def show_time(
    workspace: Workspace,
    seconds: float | None,
    request: SearchRequest | EstimateRequest,
    each: int = 1,
    what: str = "steps",
) -> None:
    """Say how long work will take, ``each`` times a run; where it is unknown, offer to time it."""
    if seconds is not None:
        text = f"About {duration_text(seconds)}"
        if each > 1:
            text += f" in all, {duration_text(seconds / each)} each"
        after = " They run one after the other." * (each > 1)
        st.caption(f"{text}, estimated from {what} on this device.{after}")
        return
    st.caption("No run of this kind was timed on this device yet.")
    if st.button(f"Measure a few {what}", key="measure_steps", icon=":material/timer:"):
        with st.spinner(f"Timing a few {what} in a separate process"):
            measure(workspace.data_dir, request)
        st.rerun()


def choose_device() -> str:
    """Choose the device to compute on."""
    return choose_one(
        "Device",
        available_devices(),
        "device",
        session=True,
        format_func=lambda name: _DEVICES.get(name, name),
        help="The devices that PyTorch finds on this machine, the fastest first.",
    )


def choose_tree(view: View) -> tuple[dict[str, Any], int]:
    """Choose the options of ``TreeOptions.create`` in the space in view, and the random seed."""
    left, right = st.columns(2)
    space = view.space
    noun, count = space.noun, len(space.decisions)
    names = {name: name for name in EDGE_POLICIES}
    policy = choose_from(
        f"{noun.capitalize()}s are", names, "policy", left, help=listed(EDGE_POLICIES)
    )
    edges: Sequence[int]
    if policy == "fixed":
        settings: Any = {"default": range(min(3, count)), "bind": "query-params"}
        settings["format_func"] = [decision.name for decision in space.decisions].__getitem__
        label = f"{noun.capitalize()}s, in the order of the levels"
        edges = right.multiselect(label, range(count), key="edges", **settings)
    else:
        edges = range(choose_number("Levels", "depth", min(3, count), 1, count, right))
    text = "2 in the paper; 5 on one edge is the original few-shot NAS."
    fixed = policy == "fixed" and bool(edges)
    most = min(space.shape[edge] for edge in edges) if fixed else max(space.shape)
    groups = choose_number("Groups at each node", "groups", 2, 2, most, left, help=text)
    seed = choose_number("Random seed", "seed", 0, place=right)
    text = (
        "Each sub-supernet is trained for this many epochs, from the weights it inherits, before "
        "it is split further, as in few-shot NAS and GM-NAS. 0 in the paper."
    )
    epochs, images = 0, WARM_UP_IMAGES
    if view.has_supernet:
        epochs = choose_number("Warm-up epochs", "warm_up", 0, 0, 1000, left, help=text)
        text = "Training images in an epoch of the warm-up."
        settings = {"help": text, "disabled": not epochs}
        images = choose_number("Images used", "warm_up_images", images, 2, None, right, **settings)
    text = "Group sizes differ by at most one, as in GM-NAS."
    balanced = st.checkbox("Balanced groups", key="balanced", bind="query-params", help=text)
    return {
        "edges": tuple(edges),
        "groups": groups,
        "balanced": balanced,
        "policy": policy,
        "warm_up_epochs": epochs,
        "warm_up_images": images,
    }, seed


# The options that are changed most, with their smallest values and the steps of their buttons.
_NUMBERS = {
    "epochs": ("Epochs", 1, 1),
    "images": ("Training images", 4, 400),
    "batch_size": ("Batch size", 2, 16),
    "channels": ("Channels", 1, 1),
    "cells_per_stage": ("Cells per stage", 1, 1),
}


def choose_preset() -> str:
    """Choose a preset."""
    chosen = choose_one(
        "Preset",
        PRESETS.names(),
        "preset",
        default="quick",
        format_func=PRESETS.label,
        help=f"Reduced scale: {GLOSSARY['reduced scale']}",
    )
    st.caption(PRESETS.get(chosen).description)
    return chosen


def choose_options(preset: str, space: SearchSpace) -> SearchOptions | None:
    """Override options of a preset; None where they are impossible."""
    shown = {
        name: item
        for name, item in _NUMBERS.items()
        if name != "cells_per_stage" or not space.fixed_depth
    }
    usual = PRESETS.get(preset).search
    changes: dict[str, Any] = {}
    with st.expander("Override options", icon=":material/tune:", key="override_panel"):
        for column, (name, (label, least, step)) in in_columns(shown.items(), 2):
            # Each preset has its own controls, so that another one shows its values.
            key, value = f"{preset}_{name}", getattr(usual, name)
            settings = {"step": step, "placeholder": "all", "help": OPTION_TEXTS[name]}
            changes[name] = choose_number(label, key, value, least, None, column, **settings)
        texts = st.text_input(
            "Other options",
            key="set",
            bind="query-params",
            placeholder="architecture_learning_rate=0.003 augment=false",
            help="NAME=VALUE, separated by spaces; the table of options has all names.",
        )
    with show_errors():
        return override(replace(usual, **changes), texts.split())
    return None


def show_options(
    options: SearchOptions | TrainingOptions,
    key: str,
    algorithm: str | None = None,
    narrow: bool = False,
) -> None:
    """Show every option beside the paper's, without those that only other algorithms read.

    A narrow table leaves out their meanings.
    """
    paper = PRESETS.get("paper")
    published = paper.search if isinstance(options, SearchOptions) else paper.training
    label = None if algorithm is None else ALGORITHMS.label(algorithm)
    rows = []
    for name, text in OPTION_TEXTS.items():
        readers = readers_of(name)
        if hasattr(options, name) and (not readers or label in readers):
            value, paper_value = getattr(options, name), getattr(published, name)
            differs = "" if value == paper_value else "≠"
            rows.append((name, as_text(value), as_text(paper_value), differs, text))
    columns = ["option", "value", "paper", "differs", "meaning"]
    differing = [name for name, _, _, differs, _ in rows if differs]
    width = 60 if narrow else 90
    show_table(
        pd.DataFrame(rows, columns=columns),
        f"{len(rows)} options; other than in the paper: {', '.join(differing) or 'none'}",
        {
            "value": TextColumn(width=width),
            "paper": TextColumn(width=width, help="Appendix A"),
            "differs": TextColumn("≠", width=40, help="Not as in the paper"),
        },
        key=key,
        height="content",
        column_order=columns[: 3 if narrow else None],
    )
