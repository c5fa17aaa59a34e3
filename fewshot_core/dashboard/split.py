"""The Split page: request a split, watch it grow, and explore it."""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.analysis import SplitEvaluator, SplitReport, conclusion
from fewshot_core.analysis.agreement import score_spread, stability
from fewshot_core.analysis.sub_spaces import sub_space_names
from fewshot_core.dashboard.shared.controls import (
    choose_from,
    choose_number,
    choose_one,
    numbers,
    offer_start,
    plain,
    show_columns,
    show_errors,
    show_log,
    show_running,
    show_table,
    show_tiles,
    table_height,
)
from fewshot_core.dashboard.shared.figures import (
    cached_figure,
    describe,
    reports,
    rests_on,
    show_figure,
    show_split_source,
    show_view_source,
)
from fewshot_core.dashboard.shared.glossary import GLOSSARY, explain
from fewshot_core.dashboard.shared.page import (
    DISTRIBUTIONS,
    NEW_SPLIT,
    WATCHED,
    Workspace,
    close_forms,
    form_is_open,
    link_to,
)
from fewshot_core.dashboard.shared.requests import (
    choose_device,
    choose_network,
    choose_sampling,
    choose_source,
    choose_tree,
)
from fewshot_core.dashboard.shared.sidebar import (
    View,
    open_page,
    put_in_view,
    show_missing_table,
    without_supernet,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    dataset_label,
    metric_option,
    read_request,
    record_label,
    split_label,
)
from fewshot_core.dashboard.shared.trees import (
    draw_split,
    show_node,
    show_sub_spaces,
    show_tree,
    tree_drawing,
)
from fewshot_core.data_folder import data_dir
from fewshot_core.errors import RunError
from fewshot_core.metrics import METRICS, list_metrics, most_sharing_first
from fewshot_core.networks import check_checkpoint
from fewshot_core.plots import tree_figure
from fewshot_core.runs import (
    Network,
    RunFolder,
    SplitRequest,
    State,
    estimate_seconds,
    find_finished,
    run_folder,
)
from fewshot_core.runs.estimate import duration_text
from fewshot_core.runs.folder import find_run
from fewshot_core.space import Part, SubSpace, get_space, group_labels
from fewshot_core.splitting import SplitNode, SplitTree, TreeOptions

_ALL = "all"
_SUB_SPACE = "sub_space"
_POLL_SECONDS = 0.5
_MOST_SHOWN = 2
_ENDED = {State.FAILED: "failed", State.CANCELLED: "was cancelled", State.LOST: "was lost"}


def show_split_page() -> None:
    """Draw the page."""
    view = open_page("Split", ("New split", NEW_SPLIT), _adopt_finished)
    _show_progress(view.workspace)
    _show_split(view)
    if form_is_open(NEW_SPLIT):
        _show_form(view)


@st.dialog("New split", width="medium", on_dismiss=close_forms)
def _show_form(view: View) -> None:
    """Draw the form of new splits, and the button that starts them, with the time they take."""
    workspace, requests = view.workspace, _choose_requests(view)
    found: dict[SplitRequest, RunFolder | None] = {}
    with show_errors():
        found = {request: find_finished(request, workspace.data_dir) for request in requests}
    missing = [request for request, folder in found.items() if folder is None]
    running = any(folder is not None and folder.status().state.active for folder in found.values())
    done = bool(found) and not missing and not running
    label = "Show" if done else "Start"
    clicked = offer_start(label, "start", disabled=not missing and not done, type="primary")
    if done:
        st.caption("Cached result available.")
    elif missing:
        st.caption(_estimate_text(workspace, missing))
    elif running:
        st.caption("This split is running.")
    if clicked:
        _start(workspace, list(found))


def _choose_requests(view: View) -> list[SplitRequest]:
    """Draw the form and return its requests; none where they are not possible.

    All metrics at once is a request for each of them, in its first variant.
    """
    space, trained = view.space, view.has_supernet
    names = [name for name in list_metrics() if trained or METRICS.get(name).baseline]
    labels = {name: metric_option(name) for name in names}
    labels |= {_ALL: "all metrics"} if trained else {}
    metric = choose_from("Metric", labels, "metric")
    metrics = most_sharing_first(names) if metric == _ALL else [metric]
    if not trained:
        st.info(without_supernet(view), icon=":material/info:")
    variant = None
    if metric == _ALL:
        st.caption(
            "One split per metric, one after the other. Metrics made of the same gradients share "
            "them where their trees agree."
        )
    else:
        _show_metric_help(metric)
        variants = METRICS.get(metric).variants
        if len(variants) > 1:
            variant = choose_one("Variant", variants, f"variant_{metric}", session=True)
    images: dict[str, Any] = {}
    needed = any(METRICS.get(name).needs_images for name in metrics)
    place = st.container()
    with st.expander("Advanced", icon=":material/tune:", key="advanced"):
        text = (
            "How many times to make the split, each time with all seeds increased by 1: other "
            "weights and images. The page then shows how much the split depends on the seed."
        )
        left, right = st.columns(2)
        repeats = choose_number("Repeats", "repeats", 1, 1, 50, left, help=text)
        with right:
            device = choose_device()
        network = Network()
        if trained:
            st.markdown("**Network**")
            network = choose_network(space)
        if needed:
            st.markdown("**Images**")
            images = choose_sampling()
        st.markdown("**Tree**")
        tree, seed = choose_tree(view)
    if needed or tree["warm_up_epochs"]:
        with place:
            images["images"] = choose_source(view)
    with show_errors():
        if network.checkpoint is not None:
            check_checkpoint(Path(network.checkpoint))
        requests = [
            SplitRequest(
                dataset=view.dataset,
                metric=name,
                variant=variant or next(iter(METRICS.get(name).variants)),
                network=network,
                tree=TreeOptions.create(**tree, space=space),
                seed=seed,
                device=device,
                space=space.name,
                **images,
            )
            for name in metrics
        ]
        return [request.repeated(number) for request in requests for number in range(repeats)]
    return []


def _show_metric_help(name: str) -> None:
    info = METRICS.get(name)
    about, more = st.columns([2, 1], vertical_alignment="center")
    about.caption(info.description)
    with more.popover("Equation, source and cost", type="tertiary"):
        st.latex(info.equation)
        st.markdown(f"**Source**: {info.source}")
        st.markdown(f"**Cost**: {info.cost}")
        for variant, text in info.variants.items():
            st.markdown(f"**Variant {variant}**: {text}")


def _estimate_text(workspace: Workspace, requests: Sequence[SplitRequest]) -> str:
    times = [estimate_seconds(workspace.data_dir, request) for request in requests]
    known = [seconds for seconds in times if seconds is not None]
    if len(known) == len(times):
        return f"About {duration_text(sum(known))}, by the last splits of this kind on this device."
    missing = [
        record_label(METRICS, request.metric) + " with warm-up" * bool(request.tree.warm_ups)
        for request, seconds in zip(requests, times, strict=True)
        if seconds is None
    ]
    space = get_space(requests[0].space, workspace.data_dir)
    scorings = sum(request.tree.scorings(space) for request in requests)
    trained = sum(request.tree.warm_ups for request in requests)
    and_trained = f" and {trained} sub-supernets trained" if trained else ""
    return (
        f"No split by {', '.join(dict.fromkeys(missing))} was timed on this device yet: the first "
        f"one measures it. {scorings} operations will be scored{and_trained}."
    )


def _start(workspace: Workspace, requests: Sequence[SplitRequest]) -> None:
    with show_errors("The split could not be started: "):
        folders = workspace.start(requests)
        st.session_state[WATCHED] = folders[0].run_id
        close_forms()
        st.rerun()


def _watched(workspace: Workspace) -> RunFolder | None:
    """Return the run that this session started and waits for, if it still exists."""
    run_id = st.session_state.get(WATCHED)
    if run_id is None:
        return None
    try:
        folder = run_folder(run_id, workspace.data_dir)
        folder.status()
    except RunError:
        del st.session_state[WATCHED]
        return None
    return folder


def _adopt_finished(workspace: Workspace) -> None:
    """Put the split that was waited for into view once it is done; call before the sidebar."""
    folder = _watched(workspace)
    if folder is None or folder.status().state is not State.DONE:
        return
    request = folder.request()
    put_in_view(request.space, request.dataset, folder.run_id)
    workspace.store.sync()  # it may have ended after the page read the data folder
    del st.session_state[WATCHED]


def _show_progress(workspace: Workspace) -> None:
    """Show the running splits as they grow, and one that was waited for and did not finish."""
    active = workspace.active_runs("split")
    active.sort(key=lambda folder: folder.status().started or 0.0)
    for folder in active[:_MOST_SHOWN]:
        request = folder.split_request()
        label = record_label(METRICS, request.metric)
        title = f"**{plain(label)}** on {plain(dataset_label(request))}"
        show_running(folder, title, _progress_details)
        _show_growing(folder)
    if len(active) > _MOST_SHOWN:
        st.caption(f"{len(active) - _MOST_SHOWN} more splits are queued; see *Runs*.")
    watched = _watched(workspace)
    if watched is not None and watched not in active:
        _show_ended(workspace, watched)


def _progress_details(folder: RunFolder) -> list[str]:
    status = folder.status()
    return [f"{status.done} of {status.total}"] if status.total else []


@st.fragment(run_every=_POLL_SECONDS)
def _show_growing(folder: RunFolder) -> None:
    stamp = None
    with suppress(OSError):  # there is no tree yet
        found = folder.tree_path.stat()
        stamp = found.st_ino, found.st_mtime_ns
    if folder.status().state is not State.QUEUED:
        request, figure = folder.split_request(), _draw_growing(folder, stamp)
        source = [split_label(request, folder.run_id), *request.evidence.badges]
        show_figure(figure, f"growing_{folder.run_id}", wide=True, source=source)


@cached_figure
def _draw_growing(folder: RunFolder, stamp: tuple[int, int] | None) -> go.Figure:
    """Draw a tree as far as it has grown, once for all sessions; its stamp changes with it."""
    request = folder.split_request()
    grown = folder.tree() or SplitTree(request.metric, (), space=get_space(request.space))
    return tree_figure(tree_drawing(grown, levels=len(request.tree.edges), growing=True))


def _show_ended(workspace: Workspace, folder: RunFolder) -> None:
    status = folder.status()
    if status.state not in _ENDED:
        return
    label = record_label(METRICS, folder.split_request().metric)
    text = f"The {label} split {_ENDED[status.state]}"
    if status.state is State.CANCELLED:
        st.info(f"{text}.", icon=":material/cancel:")
    else:
        st.error(f"{text}: {plain(status.message)}", icon=":material/error:")
    again, away = st.columns([1, 4])
    if again.button("Start again", key="start_again", icon=":material/replay:"):
        _start(workspace, [folder.split_request()])
    if away.button("Dismiss", key="dismiss", type="tertiary"):
        del st.session_state[WATCHED]
        st.rerun()
    if status.state is not State.CANCELLED:
        with st.expander("Log", icon=":material/article:"):
            show_log(folder.log_tail())


def _show_split(view: View) -> None:
    """Show the split in view: what was found, its figures, its tree, and more in tabs."""
    split = view.split
    if split is None:
        if view.missing is None and not view.workspace.active_runs("split"):
            st.info(
                f"No split of {plain(view.task.label)} is finished yet. Make one with *New "
                "split*: its tree grows here, node by node.",
                icon=":material/account_tree:",
            )
        return
    evaluator = view.evaluator()
    report = evaluator.report(split.leaves) if evaluator else None
    described = describe(split.leaves, evaluator) if evaluator else None
    trees = [split.tree, *_repeats(view.workspace, split)] if split.tree else []
    terms = explain("information gain", "best tree", "random trees", "tie")
    st.markdown(_finding(view, split, evaluator, described, len(trees)), help=terms)
    _show_tiles(split, report)
    above = st.container()
    tabs = _draw_tabs(bool(trees), described is not None)
    chosen = None
    if evaluator is None or described is None:
        show_missing_table(view)
    elif tabs["Sub-spaces"].open:
        with tabs["Sub-spaces"]:
            chosen = _show_sub_spaces(view, split, described)
    elif (wanted := st.query_params.get(_SUB_SPACE)) in list(described["sub_space"]):
        chosen = list(described["sub_space"]).index(wanted)
    with above:
        if split.is_partition:
            _show_groups(split, described is not None)
        elif not trees:
            figure, source = draw_split(split, evaluator, chosen), rests_on([split])
            show_figure(figure, "imported_tree", wide=True, source=[split.label, *source])
        else:
            node = show_tree(split, trees[0], evaluator, chosen)
        show_split_source(split, "split_source")
    if trees and tabs["Node"].open:
        with tabs["Node"]:
            show_node(split, trees[0], node)
    if trees and tabs["Seeds"].open:
        with tabs["Seeds"]:
            _show_spread(trees, node)
            _show_stability(trees)


def _show_groups(split: SplitInView, listed: bool) -> None:
    """Say that a partition has no tree, and list its groups unless they are ``listed`` below."""
    st.caption(
        "A partition that is no product of operation sets: it has no tree, and no supernets."
    )
    if not listed:
        groups = {
            "sub-space": sub_space_names(len(split.leaves)),
            "label": group_labels(split.leaves),
            "size": ([leaf.size for leaf in split.leaves], numbers("localized")),
        }
        height = table_height(len(split.leaves))
        show_columns(groups, f"The {len(split.leaves)} groups of {split.name}", height=height)


def _draw_tabs(tree: bool, described: bool) -> dict[str, Any]:
    """Draw the tabs below the tree; a link to a sub-space opens theirs."""
    names = ["Node"] * tree + ["Sub-spaces"] * described + ["Seeds"] * tree
    if not names:
        return {}
    first = "Sub-spaces" if described and _SUB_SPACE in st.query_params else names[0]
    drawn = st.tabs(names, key="details", bind="query-params", default=first)
    return dict(zip(names, drawn, strict=True))


def _finding(
    view: View,
    split: SplitInView,
    evaluator: SplitEvaluator | None,
    described: pd.DataFrame | None,
    seeds: int,
) -> str:
    """Say in one sentence what the split is worth, with what that rests on."""
    name, dataset = plain(split.name), plain(view.task.label)
    if not split.evidence.conclusive:
        found = f"{name} is a smoke test, which only shows that everything works: no verdict."
    elif evaluator is None or described is None:
        found = f"{name} has {len(split.leaves)} sub-spaces."
    else:
        compared = conclusion(reports(((split.name, split.leaves),), evaluator))
        if split.is_partition:
            compared = _worth(split, evaluator)
        found = f"{plain(compared)}{_richest(described, view.top_label)}"
    found = f"**On {dataset}**: {found}"
    notes = split.notes(seeds == 1)
    return " ".join([found, *(f":gray-badge[{plain(note)}]" for note in notes)])


def _worth(split: SplitInView, evaluator: SplitEvaluator) -> str:
    report, best = evaluator.report(split.leaves), evaluator.best_tree(split.space)
    return (
        f"the {len(split.leaves)} groups of {split.name} gain {report.gain_bits:.4f} bits of at "
        f"most {report.top_entropy_bits:.4f}; the best tree gains {best.gain_bits:.4f}."
    )


def _richest(described: pd.DataFrame, top_label: str) -> str:
    if not described["top_count"].sum():
        return ""
    most = described.iloc[int(described["top_count"].argmax())]
    name, space, top = most["sub_space"], most["share"], most["top_share"]
    return f" {name}, {space:.1%} of the space, has {top:.1%} of the {plain(top_label)}."


def _show_sub_spaces(view: View, split: SplitInView, described: pd.DataFrame) -> int | None:
    key = f"split_sub_spaces_{split.key}"
    chosen = show_sub_spaces(view, described, key, link=_SUB_SPACE)
    query = {}
    if chosen is None:
        where = "" if split.is_partition else " to highlight a sub-space in the tree"
        st.caption(f"Choose a row{where}.")
    else:
        name = str(described["sub_space"].iloc[chosen])
        query = {_SUB_SPACE: name}
        where = "" if split.is_partition else ", highlighted in the tree"
        st.markdown(f"**{name}**{where}: {_kept_text(split.leaves[chosen])}.")
    with st.container(horizontal=True):
        show_view_source(view, "sub_space_source")
        link_to(DISTRIBUTIONS, "See the distributions of their accuracies", query)
    return chosen


def _kept_text(space: Part) -> str:
    """Name the operations of a sub-space on the decisions that do not have all of them."""
    if not isinstance(space, SubSpace):
        return plain(f"{space.size:,} architectures")
    parts = [
        f"{decision.describe(operations)} on {space.space.decision_label(number)}"
        for number, operations in enumerate(space.enabled)
        if len(operations) < len((decision := space.space.decisions[number]).operations)
    ]
    return plain("; ".join(parts) or "all operations")


def _show_tiles(split: SplitInView, report: SplitReport | None) -> None:
    tiles: dict[str, tuple[str, str | None]] = {}
    if report is not None:
        gain = f"{report.gain_bits:.4f} bits"
        tiles["Information gain"] = gain, GLOSSARY["information gain"]
    if report is not None and (found := report.comparison):
        share = "-" if found.share_of_best is None else f"{found.share_of_best:.1%}"
        best = f"{GLOSSARY['best tree']} Here it has {found.best_bits:.4f} bits."
        tiles["Of the best tree"] = share, best
        tiles["Percentile"] = (
            f"{found.percentile:.1f}",
            f"{GLOSSARY['percentile']} {found.random_trees:,} random trees; 95% interval "
            f"{found.percentile_low:.1f} to {found.percentile_high:.1f}.",
        )
    if report is not None and split.is_partition:
        bound = report.gain_bits / report.top_entropy_bits if report.top_entropy_bits else 0.0
        tiles["Of the bound"] = f"{bound:.1%}", GLOSSARY["partition"]
    if split.tree is not None:
        tiles["Tied nodes"] = f"{split.ties} of {len(split.tree.nodes)}", GLOSSARY["tie"]
        seconds = find_run(split.key, data_dir()).status().seconds
        seconds = seconds or sum(node.seconds for node in split.tree.nodes)
        if seconds:
            tiles["Made in"] = duration_text(seconds), "Working time, without loading"
    show_tiles(tiles)


def _repeats(workspace: Workspace, split: SplitInView) -> list[SplitTree]:
    """Return the trees of all finished splits that differ from one only by their seeds."""
    if split.request is None:
        return []
    rows = workspace.store.splits(split.dataset, space=split.space.name)
    others = [
        str(run_id)
        for run_id, text in zip(rows["run_id"], rows["request"], strict=True)
        if run_id != split.key and _family(text) == split.request.family
    ]
    return workspace.store.split_trees(others)


@lru_cache(maxsize=20_000)
def _family(text: str) -> str:
    return read_request(text).family


def _show_stability(trees: list[SplitTree]) -> None:
    if len(trees) < 2:
        st.caption("One seed. Use *Repeats* to see how much the split depends on the seed.")
        return
    table = stability(trees)
    root = table.iloc[0]
    groupings, space = int(root["groupings"]), trees[0].space
    others = "no other grouping" if groupings == 1 else f"{groupings} groupings in all"
    st.markdown(
        f"**Over {len(trees)} seeds** the root has this grouping with {root['same']}; {others}."
    )
    show_columns(
        {
            "node": ["/".join(str(step + 1) for step in path) or "root" for path in table["path"]],
            space.noun: [space.decisions[edge].name for edge in table["edge"]],
            "same grouping": table["same"],
            "of": (table["arrived"], numbers("%d", "Seeds that reach this node")),
            "different groupings": table["groupings"],
            "most frequent": [
                " | ".join(map(space.decisions[edge].describe, groups))
                for edge, groups in zip(table["edge"], table["commonest"], strict=True)
            ],
            "times": table["count"],
        },
        f"How often each decision recurs over {len(trees)} seeds",
        export="stability",
    )


def _show_spread(trees: list[SplitTree], node: SplitNode) -> None:
    spread = score_spread(trees, node)
    if len(trees) < 2 or not (spread["scores"] > 1).any():
        return
    names = {"scores": "seeds", "minimum": "min", "maximum": "max"}
    labels = node.sub_space.space.decisions[node.edge].labels
    operations = [labels[number] for number in spread["operation"]]
    st.markdown("**Scores over the seeds**")
    show_table(
        spread.assign(operation=operations).rename(columns=names),
        "Mean, deviation, minimum and maximum of each operation's score over the seeds",
        dict.fromkeys(("mean", "std", "min", "max"), numbers("%.5g")),
        export="scores",
    )
