"""The request of a split: what to ask, and how long it will take."""

import math
from typing import Any

import streamlit as st

from fewshot_core.dashboard.metric_help import show_metric_help
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.request_parts import (
    choose_device,
    choose_images,
    choose_network,
    choose_tree,
)
from fewshot_core.errors import FewshotError
from fewshot_core.metrics import METRICS, list_metrics
from fewshot_core.runs import SplitRequest, estimate_seconds


def choose_request(workspace: Workspace, dataset: str) -> SplitRequest | None:
    """Draw the form and return what it asks for; None where that is not possible as it stands."""
    metric = st.selectbox(
        "Metric",
        list_metrics(),
        key="metric",
        format_func=lambda name: METRICS.get(name).label,
        bind="query-params",
    )
    show_metric_help(metric)
    info = METRICS.get(metric)
    variant = "paper"
    if len(info.variants) > 1:
        variant = st.segmented_control(
            "Variant",
            list(info.variants),
            default=next(iter(info.variants)),
            required=True,
            key=f"variant_{metric}",
            persist_state="session",
            help="; ".join(f"{name}: {text}" for name, text in info.variants.items()),
        )
    images: dict[str, Any] = {}
    if info.needs_images:
        images = choose_images(workspace, dataset)
    network = choose_network()
    device = choose_device()
    tree, seed = choose_tree()
    if network is None or tree is None:
        return None
    try:
        return SplitRequest(
            dataset=dataset,
            metric=metric,
            variant=variant,
            network=network,
            tree=tree,
            seed=seed,
            device=device,
            **images,
        )
    except FewshotError as error:
        st.error(str(error))
        return None


def estimate_text(workspace: Workspace, request: SplitRequest) -> str:
    """Return how long a request will take, in words."""
    seconds = estimate_seconds(workspace.data_dir, request)
    if seconds is None:
        label = METRICS.get(request.metric).label
        return (
            f"No {label} split was timed on this device yet: the first one measures it. "
            f"{request.tree.scorings()} operations will be scored."
        )
    return f"About {duration_text(seconds)}, by the last split of this kind on this device."


def duration_text(seconds: float) -> str:
    """Return a time rounded sensibly: "40 s", "3 min", "2.5 h"."""
    if seconds < 0.95:
        return "less than a second"
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
