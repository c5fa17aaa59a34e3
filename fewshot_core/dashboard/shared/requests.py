"""Controls of requests: images, network, device, tree and presets."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.shared.controls import choose_count
from fewshot_core.dashboard.shared.page import DATA, Workspace, link_to
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import CheckpointError, FewshotError
from fewshot_core.images import ImageSource, list_sources
from fewshot_core.networks import BATCH_NORM_MODES, check_checkpoint
from fewshot_core.runs import Network, available_devices
from fewshot_core.search import (
    ALGORITHMS as ALGORITHMS_from_search,
)
from fewshot_core.search import (
    PRESETS,
    SearchOptions,
    TrainingOptions,
)
from fewshot_core.search.algorithms import ALGORITHMS
from fewshot_core.search.options import SAMPLINGS, TRAINED_ON, as_text, override
from fewshot_core.space import EDGES, edge_label
from fewshot_core.splitting import EDGE_POLICIES, WARM_UP_IMAGES, TreeOptions

OPTION_TEXTS: Mapping[str, str] = {
    "epochs": "passes over the training half of the images",
    "batch_size": "images in a batch",
    "learning_rate": "of the weights (SGD), in the first epoch",
    "final_learning_rate": "what it is annealed to, by cosine",
    "momentum": "of the weights; in searches Nesterov's",
    "weight_decay": "of the weights",
    "gradient_clip": "largest norm of the weights' gradient",
    "architecture_learning_rate": "of the architecture parameters (Adam), constant",
    "architecture_betas": "decay rates of Adam's two means",
    "architecture_weight_decay": "of the architecture parameters",
    "temperature": "of the first epoch",
    "final_temperature": "of the last epoch",
    "temperature_schedule": "from the first to the last: cosine or linear",
    "stopping_threshold": "lead at which an edge's operation is decided",
    "sampling": "; ".join(f"{name}: {text}" for name, text in SAMPLINGS.items()),
    "trained_on": "; ".join(f"{name}: {text}" for name, text in TRAINED_ON.items()),
    "channels": "of the first stage, doubled in each next one",
    "cells_per_stage": "cells in each of the three stages",
    "images": "half of them are held out; none means all there are",
    "split_seed": "which images, and which of them are held out",
    "augment": "random crops and flips",
}
"""What each option means, with its unit where it has one."""


def readers_of(name: str) -> tuple[str, ...]:
    """Return the labels of the algorithms that alone read an option; none where all do."""
    return tuple(info.label for info in ALGORITHMS if name in info.options)


_DEVICES = {"cpu": "CPU", "cuda": "CUDA", "mps": "Apple GPU"}


def choose_source(workspace: Workspace, dataset: str) -> str:
    """Choose where the images of a data set are from; made-up ones are named as such."""
    sources = [
        source for source in list_sources(dataset, workspace.data_dir) if source.problem is None
    ]
    by_name = {source.name: source for source in sources}
    chosen = st.selectbox(
        "Images",
        list(by_name),
        key=f"images_{dataset}",
        persist_state="session",
        format_func=lambda name: _source_label(by_name[name]),
    )
    if by_name[chosen].synthetic:
        label = DATASETS.get(dataset).label
        st.warning(f"Made-up images, not {label}.", icon=":material/casino:")
        link_to(DATA, f"Add images of {label}")
    return str(chosen)


def choose_images(workspace: Workspace, dataset: str) -> dict[str, Any]:
    """Choose the images of a data set; return the options of a request that say which."""
    chosen = choose_source(workspace, dataset)
    left, right = st.columns(2)
    size = choose_count(
        "Batch size",
        "batch_size",
        usual=64,
        least=1,
        most=4096,
        help="Images in a batch. The published splits used 16.",
        place=left,
    )
    batches = choose_count(
        "Batches",
        "batches",
        usual=1,
        least=1,
        most=64,
        help="Scores are averaged over this many batches.",
        place=right,
    )
    with st.expander("Batch norm and the draw of images"):
        norm = st.segmented_control(
            "Batch norm",
            list(BATCH_NORM_MODES),
            default="batch",
            required=True,
            key="batch_norm",
            bind="query-params",
            help="; ".join(f"{name}: {text}" for name, text in BATCH_NORM_MODES.items()),
        )
        batch_seed = choose_count("Seed of the images", "batch_seed", usual=0)
    return {
        "images": chosen,
        "batch_size": size,
        "batches": batches,
        "batch_norm": norm,
        "batch_seed": batch_seed,
    }


def _source_label(source: ImageSource) -> str:
    return source.label if source.synthetic else f"{source.name} ({source.label})"


def choose_network() -> Network | None:
    """Choose the supernet to probe; None where its checkpoint is missing."""
    with st.expander("Network", icon=":material/lan:"):
        left, right = st.columns(2)
        channels = choose_count(
            "Channels",
            "channels",
            usual=16,
            least=1,
            most=256,
            help="Of the first stage; 16 in the paper.",
            place=left,
        )
        cells = choose_count(
            "Cells per stage",
            "cells",
            usual=5,
            least=1,
            most=20,
            help="5 in the paper.",
            place=right,
        )
        seed = choose_count("Seed of the weights", "network_seed", usual=0, place=left)
        checkpoint = right.text_input(
            "Trained weights",
            key="checkpoint",
            bind="query-params",
            placeholder="path of a checkpoint",
            help="A file written by torch.save with the state of a supernet of this size. "
            "Without one the network is untrained.",
        )
    path = Path(checkpoint).expanduser() if checkpoint.strip() else None
    if path is not None:
        try:
            check_checkpoint(path)
        except CheckpointError as error:
            st.error(str(error))
            return None
    return Network(channels, cells, seed, str(path.resolve()) if path else None)


def choose_device() -> str:
    """Choose what computes."""
    devices = available_devices()
    chosen = st.segmented_control(
        "Device",
        devices,
        default=devices[0],
        required=True,
        key="device",
        persist_state="session",
        format_func=lambda name: _DEVICES.get(name, name),
        help="What PyTorch can compute on here, found automatically; the fastest comes first.",
    )
    return str(chosen)


def choose_tree() -> tuple[TreeOptions | None, int]:
    """Choose the shape of the tree and the seed of its choices by chance."""
    with st.expander("Tree", icon=":material/account_tree:"):
        policy = st.selectbox(
            "Edges are",
            list(EDGE_POLICIES),
            key="policy",
            bind="query-params",
            help="; ".join(f"{name}: {text}" for name, text in EDGE_POLICIES.items()),
        )
        edges = _choose_edges(policy)
        groups = choose_count(
            "Groups at each node",
            "groups",
            usual=2,
            least=2,
            most=5,
            help="2 in the paper; 5 on one edge is the original few-shot NAS.",
        )
        balanced = st.checkbox(
            "Balanced groups",
            key="balanced",
            bind="query-params",
            help="Group sizes differ by at most one, as in GM-NAS.",
        )
        seed = choose_count("Seed of choices by chance", "seed", usual=0)
        warm_up, warm_up_images = _choose_warm_up()
    try:
        return TreeOptions.create(edges, groups, balanced, policy, warm_up, warm_up_images), seed
    except FewshotError as error:
        st.error(str(error))
        return None, seed


def _choose_warm_up() -> tuple[int, int]:
    """Choose for how many epochs sub-supernets are trained, and on how many images."""
    left, right = st.columns(2)
    epochs = choose_count(
        "Warm-up epochs",
        "warm_up",
        usual=0,
        most=1000,
        help="Each sub-supernet is trained for so many epochs, from the weights it has inherited, "
        "before it is split further, as few-shot NAS and GM-NAS do. 0 in the paper.",
        place=left,
    )
    images = choose_count(
        "Images used",
        "warm_up_images",
        usual=WARM_UP_IMAGES,
        least=2,
        help="Training images that a sub-supernet sees in an epoch of its warm-up.",
        place=right,
        disabled=not epochs,
    )
    return epochs, images


def _choose_edges(policy: str) -> tuple[int, ...]:
    if policy == "fixed":
        chosen = st.multiselect(
            "Edges, in the order of the levels",
            range(len(EDGES)),
            default=(0, 1, 2),
            key="edges",
            bind="query-params",
            format_func=edge_label,
        )
        return tuple(chosen)
    depth = choose_count("Levels", "depth", usual=3, least=1, most=len(EDGES))
    return tuple(range(depth))


_USUAL = "quick"
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
    chosen = st.segmented_control(
        "Preset",
        PRESETS.names(),
        default=_USUAL,
        required=True,
        key="preset",
        bind="query-params",
        format_func=lambda name: PRESETS.get(name).label,
    )
    st.caption(PRESETS.get(str(chosen)).description)
    return str(chosen)


def choose_options(preset: str) -> SearchOptions | None:
    """Choose other values than a preset's; None where they are impossible."""
    usual = PRESETS.get(preset).search
    with st.expander("Change some of it", icon=":material/tune:"):
        changes = _choose_numbers(usual, preset)
        texts = st.text_input(
            "Other options",
            key="set",
            bind="query-params",
            placeholder="architecture_learning_rate=0.003 augment=false",
            help="NAME=VALUE, with spaces between them; the table of options has all names.",
        )
    try:
        return override(replace(usual, **changes), texts.split())
    except FewshotError as error:
        st.error(str(error))
        return None


def _choose_numbers(usual: SearchOptions, preset: str) -> dict[str, Any]:
    """Draw the numbers; those of each preset are its own, so that another one shows its values."""
    changes: dict[str, Any] = {}
    columns = st.columns(2)
    for number, (name, (label, least, step)) in enumerate(_NUMBERS.items()):
        changes[name] = columns[number % 2].number_input(
            label,
            min_value=least,
            value=getattr(usual, name),
            step=step,
            key=f"{preset}_{name}",
            bind="query-params",
            placeholder="all there are",
            help=OPTION_TEXTS[name],
        )
    return changes


def options_frame(
    options: SearchOptions | TrainingOptions, algorithm: str | None = None
) -> pd.DataFrame:
    """Return every option with its value, the paper's, and what it means.

    Options that only other algorithms read are left out.

    Returns:
        Columns option, value, paper, differs (a sign, or nothing) and meaning.
    """
    paper = PRESETS.get("paper")
    usual = paper.search if isinstance(options, SearchOptions) else paper.training
    label = None if algorithm is None else ALGORITHMS_from_search.get(algorithm).label
    rows = []
    for field in fields(options):
        readers = readers_of(field.name)
        if readers and label not in readers:
            continue
        value, paper_value = getattr(options, field.name), getattr(usual, field.name)
        rows.append(
            {
                "option": field.name,
                "value": as_text(value),
                "paper": as_text(paper_value),
                "differs": "" if value == paper_value else "≠",
                "meaning": OPTION_TEXTS[field.name],
            }
        )
    return pd.DataFrame(rows)


def show_options(
    options: SearchOptions | TrainingOptions,
    key: str,
    algorithm: str | None = None,
    narrow: bool = False,
) -> None:
    """Show every option beside the paper's; a narrow table leaves out what they mean."""
    frame, width = options_frame(options, algorithm), 60 if narrow else 90
    differing = frame.loc[frame["differs"] != "", "option"].tolist()
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height="content",
        column_order=list(frame.columns[: 3 if narrow else None]),
        column_config={
            "value": st.column_config.TextColumn(width=width),
            "paper": st.column_config.TextColumn(width=width, help="Appendix A"),
            "differs": st.column_config.TextColumn("≠", width=40, help="Not as in the paper"),
        },
        alt=f"{len(frame)} options; other than in the paper: {_listed(differing)}",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
