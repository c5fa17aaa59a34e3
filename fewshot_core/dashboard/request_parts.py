"""The parts of a split's request: images, network, device and tree."""

from pathlib import Path
from typing import Any

import streamlit as st

from fewshot_core.checkpoint_file import check_checkpoint
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
    size = left.number_input(
        "Batch size",
        min_value=1,
        max_value=4096,
        value=64,
        key="batch_size",
        bind="query-params",
        help="Images in a batch. The published splits used 16.",
    )
    batches = right.number_input(
        "Batches",
        min_value=1,
        max_value=64,
        value=1,
        key="batches",
        bind="query-params",
        help="Scores are averaged over this many batches.",
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
        batch_seed = st.number_input(
            "Seed of the images",
            min_value=0,
            value=0,
            key="batch_seed",
            bind="query-params",
        )
    return {
        "images": chosen,
        "batch_size": int(size),
        "batches": int(batches),
        "batch_norm": norm,
        "batch_seed": int(batch_seed),
    }


def _source_label(source: ImageSource) -> str:
    return source.label if source.synthetic else f"{source.name} ({source.label})"


def choose_network() -> Network | None:
    """Choose the supernet to probe; None where its checkpoint is missing."""
    with st.expander("Network", icon=":material/lan:"):
        left, right = st.columns(2)
        channels = left.number_input(
            "Channels",
            min_value=1,
            max_value=256,
            value=16,
            key="channels",
            bind="query-params",
            help="Of the first stage; 16 in the paper.",
        )
        cells = right.number_input(
            "Cells per stage",
            min_value=1,
            max_value=20,
            value=5,
            key="cells",
            bind="query-params",
            help="5 in the paper.",
        )
        seed = left.number_input(
            "Seed of the weights", min_value=0, value=0, key="network_seed", bind="query-params"
        )
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
    return Network(int(channels), int(cells), int(seed), str(path.resolve()) if path else None)


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
        groups = st.number_input(
            "Groups at each node",
            min_value=2,
            max_value=5,
            value=2,
            key="groups",
            bind="query-params",
            help="2 in the paper; 5 on one edge is the original few-shot NAS.",
        )
        balanced = st.checkbox(
            "Balanced groups",
            key="balanced",
            bind="query-params",
            help="Group sizes differ by at most one, as in GM-NAS.",
        )
        seed = st.number_input(
            "Seed of choices by chance", min_value=0, value=0, key="seed", bind="query-params"
        )
        left, right = st.columns(2)
        warm_up = left.number_input(
            "Warm-up epochs",
            min_value=0,
            max_value=1000,
            value=0,
            key="warm_up",
            bind="query-params",
            help="Each sub-supernet is trained for so many epochs, from the weights it has "
            "inherited, before it is split further, as few-shot NAS and GM-NAS do. 0 in the paper.",
        )
        warm_up_images = right.number_input(
            "Images used",
            min_value=2,
            value=WARM_UP_IMAGES,
            key="warm_up_images",
            bind="query-params",
            disabled=not warm_up,
            help="Training images that a sub-supernet sees in an epoch of its warm-up.",
        )
    try:
        tree = TreeOptions.create(
            edges, int(groups), balanced, policy, int(warm_up), int(warm_up_images)
        )
        return tree, int(seed)
    except FewshotError as error:
        st.error(str(error))
        return None, int(seed)


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
    depth = st.number_input(
        "Levels", min_value=1, max_value=len(EDGES), value=3, key="depth", bind="query-params"
    )
    return tuple(range(int(depth)))
