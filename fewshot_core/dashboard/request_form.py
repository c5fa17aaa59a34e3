"""The request of a split: what to ask, and how long it will take."""

from collections.abc import Sequence
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
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.metrics import METRICS, list_metrics, most_sharing_first
from fewshot_core.runs import SplitRequest, estimate_seconds

ALL = "all"
"""The choice of every metric at once."""


def choose_requests(workspace: Workspace, dataset: str) -> list[SplitRequest]:
    """Draw the form and return what it asks for; nothing where that is not possible as it stands.

    Every metric at once is a request for each of them, in its first variant.
    """
    metric = st.selectbox(
        "Metric",
        [*list_metrics(), ALL],
        key="metric",
        format_func=lambda name: "all metrics" if name == ALL else METRICS.get(name).label,
        bind="query-params",
    )
    metrics = most_sharing_first(list_metrics()) if metric == ALL else [metric]
    variant = None
    if metric == ALL:
        st.caption(
            "Each metric makes a split of its own, one after the other. Those that are made of "
            "the same gradients share them wherever their trees agree."
        )
    else:
        show_metric_help(metric)
        variant = _choose_variant(metric)
    images: dict[str, Any] = {}
    if any(METRICS.get(name).needs_images for name in metrics):
        images = choose_images(workspace, dataset)
    network = choose_network()
    device = choose_device()
    tree, seed = choose_tree()
    if tree is not None and tree.warm_up_epochs and not images:
        images = choose_images(workspace, dataset)
    if network is None or tree is None:
        return []
    try:
        return [
            SplitRequest(
                dataset=dataset,
                metric=name,
                variant=variant or next(iter(METRICS.get(name).variants)),
                network=network,
                tree=tree,
                seed=seed,
                device=device,
                **images,
            )
            for name in metrics
        ]
    except FewshotError as error:
        st.error(str(error))
        return []


def _choose_variant(metric: str) -> str | None:
    variants = METRICS.get(metric).variants
    if len(variants) < 2:
        return None
    chosen = st.segmented_control(
        "Variant",
        list(variants),
        default=next(iter(variants)),
        required=True,
        key=f"variant_{metric}",
        persist_state="session",
        help="; ".join(f"{name}: {text}" for name, text in variants.items()),
    )
    return str(chosen)


def estimate_text(workspace: Workspace, requests: Sequence[SplitRequest]) -> str:
    """Return how long some requests will take, in words."""
    times = [estimate_seconds(workspace.data_dir, request) for request in requests]
    known = [seconds for seconds in times if seconds is not None]
    scorings = sum(request.tree.scorings() for request in requests)
    if len(known) < len(times):
        missing = [
            METRICS.get(request.metric).label + (" with warm-up" if request.tree.warm_ups else "")
            for request, seconds in zip(requests, times, strict=True)
            if seconds is None
        ]
        labels = ", ".join(dict.fromkeys(missing))
        return (
            f"No split by {labels} was timed on this device yet: the first one measures it. "
            f"{scorings} operations will be scored{_training_text(requests)}."
        )
    return f"About {duration_text(sum(known))}, by the last splits of this kind on this device."


def _training_text(requests: Sequence[SplitRequest]) -> str:
    trained = sum(request.tree.warm_ups for request in requests)
    return f" and {trained} sub-supernets trained" if trained else ""
