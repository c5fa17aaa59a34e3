"""The parts of a split's request: images, network, device and tree."""

from pathlib import Path
from typing import Any

import streamlit as st

from fewshot_core.checkpoint_file import check_checkpoint
from fewshot_core.dashboard.controls import choose_count
from fewshot_core.dashboard.navigation import DATA, link_to
from fewshot_core.dashboard.page import Workspace
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import CheckpointError, FewshotError
from fewshot_core.images import ImageSource, list_sources
from fewshot_core.normalisation import BATCH_NORM_MODES
from fewshot_core.runs import Network, available_devices
from fewshot_core.space import EDGES, edge_label
from fewshot_core.splitting import EDGE_POLICIES, WARM_UP_IMAGES, TreeOptions

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
