"""The home page: which metrics beat chance, what to do first, and what was made last."""

from heapq import nlargest
from itertools import islice
from operator import itemgetter

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.dashboard.shared.controls import (
    SEPARATOR,
    offer_start,
    plain,
    show_errors,
    show_running,
)
from fewshot_core.dashboard.shared.figures import (
    choose_evidence,
    named,
    reports,
    rests_on,
    show_figure,
    show_informativeness,
    show_split_source,
    show_splits_source,
    split_groups,
    time_text,
    verdict,
)
from fewshot_core.dashboard.shared.glossary import explain
from fewshot_core.dashboard.shared.page import (
    APP_NAME,
    DISTRIBUTIONS,
    HALVING,
    IMPORTANCE,
    SPLIT,
    WATCHED,
    Workspace,
    link_to,
    open_on,
    page_of,
    run_name,
)
from fewshot_core.dashboard.shared.sidebar import View, open_page
from fewshot_core.dashboard.shared.splits import SplitInView, first_of_each_metric, open_splits
from fewshot_core.dashboard.shared.trees import draw_split
from fewshot_core.doctor import examine
from fewshot_core.runs import SplitRequest, State, estimate_seconds
from fewshot_core.runs.estimate import duration_text
from fewshot_core.space import NAS_BENCH_201
from fewshot_core.splitting import TreeOptions

_ACTIONS = (
    (
        DISTRIBUTIONS,
        "See what matters",
        IMPORTANCE,
        "Which decisions and operations matter, exactly, from the whole table.",
    ),
    (
        HALVING,
        "Replay successive halving",
        None,
        "Which sub-supernet a schedule would select, on searches that were recorded.",
    ),
)
"""What else gives a result at once: page, label, query, text."""
_MOST_OF_EACH = 6
"""How many splits by one metric are shown."""
_MOST_RUNS = 4
"""How many of the runs that are active, and of those that ended last, are shown."""


def show_home_page() -> None:
    """Draw the page."""
    view = open_page(APP_NAME)
    finding = st.container()
    figure, actions = st.columns([7, 3], gap="large")
    with actions:
        _show_first_actions(view)
        _show_runs(view.workspace)
    with figure:
        _show_metrics(view, finding)
    for problem in examine(view.workspace.data_dir, {})["problems"]:
        st.warning(plain(problem), icon=":material/warning:")


def _show_metrics(view: View, finding: DeltaGenerator) -> None:
    """Show which metrics beat random splits; the sentence of it goes above everything."""
    dataset = plain(view.task.label)
    if view.split is None and view.missing is None:
        st.markdown(
            f"**No split of {dataset} is finished yet.** A split divides the supernet into "
            "sub-supernets; this page will show which metrics split better than chance. Make the "
            "first one beside this."
        )
        return
    evaluator = view.evaluator()
    if evaluator is None:
        if view.split is None:
            return
        finding.markdown(f"**The split in view**: {plain(view.split.name)} on {dataset}")
        source = [view.split.label, *rests_on([view.split])]
        show_figure(draw_split(view.split, None), "home_tree", wide=True, source=source)
        show_split_source(view.split, "home_source")
        return
    groups = split_groups(view)
    evidence = choose_evidence(groups, "split")
    labels = view.split_labels()
    labels = {key: labels[key] for key in groups[evidence]}
    splits = open_splits(view.workspace.store, first_of_each_metric(labels, _MOST_OF_EACH))
    terms = explain("information gain", "random trees", "best tree", "top 1%")
    found = verdict(evidence, splits, _median_reports(splits, evaluator), view.top_label)
    where = "" if view.space == NAS_BENCH_201 else f" in {plain(view.space.label)}"
    finding.markdown(f"**On {dataset}{where}**: {found}", help=terms)
    show_informativeness(view, evaluator, splits, "home_metrics", by_metric=True)
    show_splits_source(view, evaluator, splits, "home_source")


def _median_reports(splits: list[SplitInView], evaluator: SplitEvaluator) -> pd.DataFrame:
    """Return the report of the median split by each metric, the lower one of an even number."""
    table = reports(named(splits), evaluator)
    table = table.assign(split=table["split"].map({split.label: split.name for split in splits}))
    groups = table.groupby("split", sort=False)
    median: pd.DataFrame = table[groups.cumcount() == groups["split"].transform("size") // 2]
    return median


def _show_first_actions(view: View) -> None:
    space = view.space
    metric = "params" if view.has_supernet else "random"
    tree = TreeOptions.create(range(min(3, len(space.decisions))), space=space)
    request = SplitRequest(view.dataset, metric, tree=tree, space=space.name)
    what = (
        "by #params: it needs no images and"
        if view.has_supernet
        else "at random, as there is no supernet here: it"
    )
    seconds = estimate_seconds(view.workspace.data_dir, request)
    with st.container(border=True):
        if offer_start("Make a split", "first_split", disabled=False, type="primary"):
            with show_errors("The split could not be started: "):
                [folder] = view.workspace.start([request])
                st.session_state[WATCHED] = folder.run_id
                open_on(SPLIT, {})
        st.caption(
            f"Group the operations {what} takes "
            f"{'a few seconds' if seconds is None else f'about {duration_text(max(seconds, 1))}'}."
        )
    for page, label, query, text in _ACTIONS:
        with st.container(border=True):
            link_to(page, f"**{label}**", query)
            st.caption(text)


def _show_runs(workspace: Workspace) -> None:
    runs = [run for run in workspace.runs() if not run.demo]
    for run in islice((run for run in runs if run.active), _MOST_RUNS):
        show_running(run.folder, f"**{run_name(run)}**", lambda folder: [])
    done = [
        ((run.status and run.status.updated) or 0.0, run)
        for run in runs
        if run.state == State.DONE.value
    ]
    if done:
        st.markdown("**Made last**")
    for at, run in nlargest(_MOST_RUNS, done, key=itemgetter(0)):
        if place := page_of(workspace, run):
            label = SEPARATOR.join([run_name(run), time_text(at)])
            link_to(place[0], label, place[1])
