"""The Split page: request a split, watch it grow, and look into it."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.analysis import SplitReport
from fewshot_core.analysis.agreement import score_spread, stability
from fewshot_core.dashboard.shared.controls import choose_count
from fewshot_core.dashboard.shared.figures import (
    kept,
    show_figure,
    show_split_source,
    show_view_source,
)
from fewshot_core.dashboard.shared.loading import describe, load_evaluator
from fewshot_core.dashboard.shared.page import DISTRIBUTIONS, Workspace, link_to
from fewshot_core.dashboard.shared.requests import (
    choose_device,
    choose_images,
    choose_network,
    choose_tree,
)
from fewshot_core.dashboard.shared.sidebar import View, show_missing_table
from fewshot_core.dashboard.shared.splits import SplitInView, read_request
from fewshot_core.dashboard.shared.trees import (
    draw_split,
    draw_tree,
    show_node,
    show_sub_spaces,
    show_tree,
)
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.metrics import METRICS, list_metrics, most_sharing_first
from fewshot_core.plots import tree_figure
from fewshot_core.runs import (
    RunFolder,
    SplitRequest,
    State,
    Status,
    cancel,
    estimate_seconds,
    find_finished,
    is_active,
    run_folder,
    start,
)
from fewshot_core.space import OPERATION_LABELS, edge_label, operation_set_label
from fewshot_core.splitting import SplitNode, SplitTree


def show_metric_help(name: str) -> None:
    """Write a metric's equation, source, cost and variants."""
    info = METRICS.get(name)
    st.caption(info.description)
    with st.expander("Equation, source and cost", icon=":material/function:"):
        st.latex(info.equation)
        st.markdown(f"**Source**: {info.source}")
        st.markdown(f"**Cost**: {info.cost}")
        for variant, text in info.variants.items():
            st.markdown(f"**Variant {variant}**: {text}")


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
            request.method_label + (" with warm-up" if request.tree.warm_ups else "")
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


def repeats_of(workspace: Workspace, split: SplitInView) -> list[SplitTree]:
    """Return the split in view and all finished splits that differ from it only by their seeds."""
    if split.tree is None or split.request is None:
        return []
    rows = workspace.store.splits(split.dataset)
    others = [
        str(run_id)
        for run_id, text in zip(rows["run_id"], rows["request"], strict=True)
        if run_id != split.key and _family(text) == split.request.family
    ]
    return [split.tree, *workspace.store.split_trees(others)]


@lru_cache(maxsize=20_000)
def _family(text: str) -> str:
    return read_request(text).family


def show_stability(trees: list[SplitTree]) -> None:
    """Show how often each decision of the first tree recurs."""
    if len(trees) < 2:
        st.caption(
            "Made once. With *Repeats* at the left, the split is made again from other seeds, and "
            "how much of it is chance is shown here."
        )
        return
    table = stability(trees)
    root = table.iloc[0]
    st.markdown(
        f"**Over {len(trees)} seeds** the root is split as here {root['same']} times; there "
        f"{_are(int(root['groupings']))}."
    )
    shown = pd.DataFrame(
        {
            "node": ["/".join(str(step + 1) for step in path) or "root" for path in table["path"]],
            "edge": [edge_label(edge) for edge in table["edge"]],
            "as here": table["same"],
            "of": table["arrived"],
            "different groupings": table["groupings"],
            "most frequent": [" | ".join(map(operation_set_label, g)) for g in table["commonest"]],
            "times": table["count"],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        column_config={"of": st.column_config.NumberColumn(help="Seeds that come to this node")},
        alt=f"How often each decision recurs over {len(trees)} seeds",
    )


def show_spread(trees: list[SplitTree], node: SplitNode) -> None:
    """Show how the scores of a node vary over the seeds."""
    spread = score_spread(trees, node)
    if len(trees) < 2 or not (spread["scores"] > 1).any():
        return
    shown = spread.assign(operation=[OPERATION_LABELS[number] for number in spread["operation"]])
    st.markdown("**Scores over the seeds**")
    number = st.column_config.NumberColumn(format="%.5g")
    st.dataframe(
        shown.rename(columns={"scores": "seeds", "minimum": "least", "maximum": "most"}),
        hide_index=True,
        column_config=dict.fromkeys(("mean", "std", "least", "most"), number),
        alt="Mean, deviation, least and most of the score of each operation over the seeds",
    )


def _are(groupings: int) -> str:
    return "is no other grouping" if groupings == 1 else f"are {groupings} groupings in all"


def show_split(workspace: Workspace, view: View) -> None:
    """Show the split in view: its figures, its tree, its nodes and its sub-spaces."""
    split = view.split
    if split is None:
        label = DATASETS.get(view.dataset).label
        st.info(
            f"No split of {label} is finished yet. Choose a metric at the left and press *Start*: "
            "the tree grows here, node by node.",
            icon=":material/account_tree:",
        )
        return
    st.subheader(f"{split.name} on {DATASETS.get(split.dataset).label}")
    _warn(split)
    evaluator = load_evaluator(workspace, view)
    _show_tiles(view, split, evaluator.report(split.leaves) if evaluator else None)
    described = None if evaluator is None else describe(split.leaves, evaluator)
    if split.tree is None:
        show_figure(draw_split(split, evaluator), "imported_tree", wide=True)
    else:
        node = show_tree(split, split.tree, evaluator)
        trees = repeats_of(workspace, split)
        show_node(split.tree, node, "node")
        show_spread(trees, node)
        show_stability(trees)
    show_split_source(split, "split_source")
    if described is None:
        show_missing_table(view)
        return
    st.subheader("Sub-spaces")
    show_sub_spaces(described, view.top_label, "split_sub_spaces")
    show_view_source(view, "sub_space_source")
    link_to(DISTRIBUTIONS, "See the distributions of their accuracies")


def _warn(split: SplitInView) -> None:
    if split.synthetic:
        st.warning("The images were made up.", icon=":material/casino:")
    if split.tree is not None and split.arbitrary:
        reasons = "; ".join(
            dict.fromkeys(str(node.reason) for node in split.tree.nodes if node.degenerate)
        )
        st.warning(
            f"{split.arbitrary} of {len(split.tree.nodes)} nodes were decided arbitrarily "
            f"({reasons}). They are marked ? in the tree.",
            icon=":material/help:",
        )


def _show_tiles(view: View, split: SplitInView, report: SplitReport | None) -> None:
    tile = partial(st.container(horizontal=True, gap="medium").metric, width="content")
    if report is not None:
        tile(
            "Information gain",
            f"{report.gain_bits:.4f} bits",
            help=f"How much the split tells about where the {view.top_label} is, by "
            f"{view.kind} accuracy",
        )
    comparison = report.comparison if report else None
    if comparison is not None:
        best = "-" if comparison.share_of_best is None else f"{comparison.share_of_best:.0%}"
        tile(
            "Of the best tree",
            best,
            help=f"The best tree that splits the same edges tells {comparison.best_bits:.4f} bits.",
        )
        tile(
            "Percentile",
            f"{comparison.percentile:.1f}",
            help=f"The share of {comparison.random_trees:,} random trees that tell less, in %; "
            f"95% interval {comparison.percentile_low:.1f} to {comparison.percentile_high:.1f}",
        )
    if split.tree is not None:
        tile(
            "Arbitrary nodes",
            f"{split.arbitrary} of {len(split.tree.nodes)}",
            help="Nodes at which several groupings were equally good, or the scores said nothing",
        )
    if split.seconds is not None:
        tile("Scored in", duration_text(split.seconds))


POLL_SECONDS = 0.5

_SHOWN = 2
_WATCHED = "watched_run"
_ENDED = {
    State.FAILED: "failed",
    State.CANCELLED: "was cancelled",
    State.LOST: "was lost",
}


def adopt_finished(workspace: Workspace) -> None:
    """Put the split that was waited for into view once it is done; call before the sidebar."""
    folder = _watched(workspace)
    if folder is None or folder.status().state is not State.DONE:
        return
    request = folder.request()
    st.session_state["dataset"] = request.dataset
    st.session_state["split"] = folder.run_id
    workspace.store.sync()  # it may have ended after the page had looked
    del st.session_state[_WATCHED]


def show_start(workspace: Workspace, requests: Sequence[SplitRequest]) -> None:
    """Draw the button that starts requests, with the time they will take."""
    repeats = choose_count(
        "Repeats",
        "repeats",
        usual=1,
        least=1,
        most=50,
        help="How many times to make the split, each time with other weights and images: every "
        "seed is 1 larger. The page then shows how much of the split is chance.",
    )
    asked = [request.repeated(number) for request in requests for number in range(repeats)]
    try:
        known = [find_finished(request, workspace.data_dir) for request in asked]
    except (FewshotError, OSError) as error:
        st.error(str(error))
        asked, known = [], []
    missing = [request for request, folder in zip(asked, known, strict=True) if folder is None]
    running = any(folder is not None and folder.status().state.active for folder in known)
    done = bool(asked) and not missing and not running
    clicked = st.button(
        "Show" if done else "Start",
        key="start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not asked or (running and not missing),
        width="stretch",
    )
    if done:
        st.caption("This was made before: it opens at once.")
    elif missing:
        st.caption(estimate_text(workspace, missing))
    elif running:
        st.caption("This is being made.")
    if clicked:
        _start(workspace, asked)


def show_progress(workspace: Workspace) -> None:
    """Show all splits that are being made, and one that was waited for and did not end well."""
    active = [
        run.folder
        for run in workspace.runs()
        if run.active and run.kind == "split" and is_active(run.folder)
    ]
    active.sort(key=lambda folder: folder.status().started or 0.0)
    for folder in active[:_SHOWN]:
        with st.container(border=True):
            _show_active(folder)
    if len(active) > _SHOWN:
        st.caption(f"{len(active) - _SHOWN} more splits wait for their turn; see *Runs and data*.")
    watched = _watched(workspace)
    if watched is not None and watched not in active:
        _show_ended(workspace, watched)


def _start(workspace: Workspace, requests: Sequence[SplitRequest]) -> None:
    """Start requests, and wait for the first."""
    try:
        folders = [start(request, workspace.data_dir) for request in requests]
    except (FewshotError, OSError) as error:
        st.error(f"The split could not be started: {error}")
        return
    st.session_state[_WATCHED] = folders[0].run_id
    st.rerun()


@st.fragment(run_every=POLL_SECONDS)
def _show_active(folder: RunFolder) -> None:
    """Show how a run goes, again and again until it ends."""
    try:
        status, request = folder.status(), folder.split_request()
        figure = _draw_growing(folder, _tree_stamp(folder))
    except FewshotError:
        st.rerun()
    if not status.state.active:
        st.rerun()
    title, button = st.columns([5, 1], vertical_alignment="center")
    title.markdown(f"**{request.method_label}** on {DATASETS.get(request.dataset).label}")
    if button.button("Cancel", key=f"cancel_{folder.run_id}", icon=":material/cancel:"):
        cancel(folder)
        st.rerun()
    st.progress(status.done / status.total if status.total else 0.0, _progress_text(status))
    if status.state is State.QUEUED:
        return
    show_figure(figure, f"growing_{folder.run_id}", wide=True)


def _tree_stamp(folder: RunFolder) -> tuple[int, int] | None:
    """Return what changes with the tree of a run, which is replaced as a whole."""
    try:
        found = folder.tree_path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@kept
def _draw_growing(folder: RunFolder, stamp: tuple[int, int] | None) -> go.Figure:
    """Return the picture of a tree as far as it has grown, once for all who watch."""
    request = folder.split_request()
    grown = folder.tree() or SplitTree(request.metric, ())
    return tree_figure(draw_tree(grown, levels=len(request.tree.edges), growing=True))


def _progress_text(status: Status) -> str:
    parts = [status.message]
    if status.total:
        parts.insert(0, f"{status.done} of {status.total}")
    if status.seconds_left is not None:
        parts.append(f"{duration_text(status.seconds_left)} left")
    return " · ".join(parts)


def _show_ended(workspace: Workspace, folder: RunFolder) -> None:
    """Say why a run did not end well, and offer to start it again."""
    status = folder.status()
    if status.state not in _ENDED:
        return
    label = folder.split_request().method_label
    text = f"The {label} split {_ENDED[status.state]}: {status.message}"
    if status.state is State.CANCELLED:
        st.info(f"The {label} split was cancelled.", icon=":material/cancel:")
    else:
        st.error(text, icon=":material/error:")
    again, away = st.columns([1, 4])
    if again.button("Start again", key="start_again", icon=":material/replay:"):
        _start(workspace, [folder.split_request()])
    if away.button("Dismiss", key="dismiss", type="tertiary"):
        del st.session_state[_WATCHED]
        st.rerun()
    if status.state is not State.CANCELLED:
        with st.expander("Log", icon=":material/article:"):
            st.code(folder.log_tail() or "the log is empty", language=None)


def _watched(workspace: Workspace) -> RunFolder | None:
    """Return the run that this session started and waits for, if it is still there."""
    run_id = st.session_state.get(_WATCHED)
    if run_id is None:
        return None
    try:
        folder = run_folder(run_id, workspace.data_dir)
        folder.status()
    except RunError:
        del st.session_state[_WATCHED]
        return None
    return folder
