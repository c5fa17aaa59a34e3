"""The Compare page: several splits next to random trees, the best tree and each other."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.column_config import TextColumn

from fewshot_core.analysis import (
    KEEP_STRATEGIES,
    SplitEvaluator,
    agreement_matrix,
    keep_k,
    seed_uncertainty,
)
from fewshot_core.bench import load_seeds
from fewshot_core.dashboard.shared.controls import (
    SEPARATOR,
    choose_from,
    counted,
    numbers,
    offer_download,
    plain,
    show_columns,
    show_table,
    show_tabs,
)
from fewshot_core.dashboard.shared.figures import (
    SMALL_LEGEND,
    Leaves,
    Named,
    cached_figure,
    choose_evidence,
    choose_style,
    describe,
    in_columns,
    named,
    noted_reports,
    reports,
    rests_on,
    show_figure,
    show_informativeness,
    show_small_distributions,
    show_splits_source,
    split_groups,
    verdict,
)
from fewshot_core.dashboard.shared.glossary import GLOSSARY, explain
from fewshot_core.dashboard.shared.page import DATA, Workspace, link_to
from fewshot_core.dashboard.shared.sidebar import (
    Scope,
    View,
    open_page,
    show_missing_split,
    show_missing_table,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    distinct_labels,
    first_of_each_metric,
    open_splits,
)
from fewshot_core.dashboard.shared.url import choose_several, is_new, is_restored
from fewshot_core.errors import TableError
from fewshot_core.evidence import Evidence
from fewshot_core.plots import agreement_figure, alternative, keep_figure, top_map_figure
from fewshot_core.runs.estimate import duration_text, step_work
from fewshot_core.space import NAS_BENCH_201, SubSpace, get_space, partition_csv
from fewshot_core.splitting.files import masks_of_splits, zip_archive
from fewshot_core.splitting.search_configs import search_configs
from fewshot_core.splitting.tree import NamedSplit

Show = Callable[[View, list[SplitInView], SplitEvaluator], None]
"""Function that draws a tab."""

_MOST = 9
"""How many splits are compared at once."""


def show_compare_page() -> None:
    """Draw the page."""
    view = open_page("Compare")
    _show_comparison(view)
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left.expander("Export the split in view", icon=":material/download:"):
        _show_export(view)
    with right:
        link_to(DATA, "Import splits and partitions", {"data": "Splits"})


def _show_comparison(view: View) -> None:
    groups = split_groups(view)
    if not groups:
        show_missing_split(view)
        return
    if is_new("splits") and "evidence" not in st.query_params:  # what the link's splits rest on
        wanted = set(st.query_params["splits"].split(","))
        shown = max(groups, key=lambda group: len(wanted.intersection(groups[group])))
        st.session_state["evidence"] = shown.key
    evidence = choose_evidence(groups, "split")
    splits = _choose_splits(view, groups, evidence)
    if not splits:
        return
    evaluator = view.evaluator()
    if evaluator is None:
        show_missing_table(view)
        return
    shows: dict[str, Show] = {
        "Verdict": partial(_show_verdict, evidence),
        "Distributions": _show_distributions,
        "Agreement": partial(_show_agreement, groups, evidence),
        "Keep k": _show_keeping,
        "Other data sets": _show_other_data_sets,
        "Training seeds": _show_uncertainty,
    }

    def draw(show: Show) -> None:
        show(view, splits, evaluator)
        show_splits_source(view, evaluator, splits, "compare_source")

    show_tabs({name: partial(draw, show) for name, show in shows.items()}, "compare")


def _choose_splits(
    view: View, groups: Mapping[Evidence, list[str]], evidence: Evidence
) -> list[SplitInView]:
    """Choose some of the splits that rest on the same; say which of a link rest on other things."""
    known = view.split_labels()
    labels = {key: known[key] for key in groups[evidence]}
    if is_restored() or is_new("splits"):
        wanted = set(st.query_params.get("splits", "").split(",")).difference(labels)
        for group, keys in groups.items():
            if others := wanted.intersection(keys).difference(labels):
                st.warning(
                    f"{counted(len(others), 'split')} of the link cannot be compared with these: "
                    f"choose *{plain(group.label)}* under *Results with* to see "
                    f"{'it' if len(others) == 1 else 'them'}.",
                    icon=":material/link_off:",
                )
    label, first = f"Splits of {plain(view.task.label)}", first_of_each_metric(labels)[:_MOST]
    chosen = choose_several(label, distinct_labels(labels), "splits", first, _MOST, known)
    if not chosen:
        st.info("Choose two splits or more.", icon=":material/compare_arrows:")
    return open_splits(view.workspace.store, chosen)


def _show_verdict(
    evidence: Evidence, view: View, splits: list[SplitInView], evaluator: SplitEvaluator
) -> None:
    """Rank the splits between chance and the best tree."""
    table = reports(named(splits), evaluator)
    terms = explain("information gain", "random trees", "best tree", "percentile", "top 1%")
    st.markdown(f"**{verdict(evidence, splits, table, view.top_label)}**", help=terms)
    show_informativeness(view, evaluator, splits, "compare_gains")
    source = [*view.source[:2], view.top_label, *rests_on(splits)]
    found = _with_best_tree(view, splits, evaluator)
    _show_summary(found, splits, _costs(view, splits), source)


def _show_distributions(view: View, splits: list[SplitInView], evaluator: SplitEvaluator) -> None:
    """Show how many of the top each sub-space has, and the accuracies in them."""
    figure = _draw_map(named(splits), evaluator, view.top_label)
    source = [*view.source[:2], *rests_on(splits)]
    show_figure(figure, "compare_map", wide=True, source=source)
    style = choose_style("compare_style")
    st.caption(SMALL_LEGEND)
    notes: list[str] = []
    for column, split in in_columns(splits):
        with column:
            key = f"compare_{split.key}"
            notes += show_small_distributions(view, evaluator, split, style, key, split.label)
    st.caption(plain(SEPARATOR.join(dict.fromkeys(notes))))


def _show_agreement(
    groups: Mapping[Evidence, list[str]],
    evidence: Evidence,
    view: View,
    splits: list[SplitInView],
    evaluator: SplitEvaluator,
) -> None:
    """Show how alike the splits are, also to some that rest on other things, as partitions do.

    Agreement is of groupings alone, so that no results with different evidence are ranked.
    """
    known = view.split_labels()
    others = {key: known[key] for group in groups if group != evidence for key in groups[group]}
    if others:
        label, labels = "And splits or partitions with other evidence", distinct_labels(others)
        added = choose_several(label, labels, "agree_with", [], _MOST, known)
        st.caption("Agreement compares groupings only, whatever made them: nothing is ranked.")
        splits = open_splits(view.workspace.store, [*(split.key for split in splits), *added])
    figure = _draw_agreement(named(splits))
    st.markdown(f"**{plain(alternative(figure))}**")
    show_figure(figure, "compare_agreement", wide=True, source=rests_on(splits))


def _show_keeping(view: View, splits: list[SplitInView], evaluator: SplitEvaluator) -> None:
    usual = list(KEEP_STRATEGIES).index("mean")
    settings = {"index": usual, "help": GLOSSARY["keep k"]}
    strategy = choose_from("Sub-spaces kept", KEEP_STRATEGIES, "keep", **settings)
    title, unit = f"best {view.axis_title}", view.task.stored_unit
    figure = _draw_keeping(named(splits), evaluator, strategy, title, unit)
    st.markdown(f"**{plain(alternative(figure))}**")
    source = [*view.source[:2], *rests_on(splits)]
    show_figure(figure, "compare_keep", source=source)


@cached_figure
def _draw_map(chosen: Named, evaluator: SplitEvaluator, top_label: str) -> go.Figure:
    return top_map_figure({name: describe(leaves, evaluator) for name, leaves in chosen}, top_label)


@cached_figure
def _draw_agreement(chosen: Named) -> go.Figure:
    return agreement_figure(agreement_matrix(dict(chosen)))


@cached_figure
def _draw_keeping(
    chosen: Named, evaluator: SplitEvaluator, strategy: str, axis_title: str, unit: str
) -> go.Figure:
    frames = [keep_k(leaves, evaluator.accuracy).assign(split=name) for name, leaves in chosen]
    frame = pd.concat(frames)
    return keep_figure(frame[frame["strategy"] == strategy], axis_title, unit)


def _costs(view: View, splits: list[SplitInView]) -> pd.DataFrame:
    """List what splits cost: scoring, memory, and training in units of that of one supernet."""
    keys = {split.key for split in splits}
    messages = {r.run_id: r.message for r in view.workspace.runs() if r.run_id in keys}
    whole = step_work(SubSpace.full(view.space))
    rows = []
    for split in splits:
        leaves = [leaf for leaf in split.leaves if isinstance(leaf, SubSpace)]
        # The last message of a run: "done in 5 s with 2.2 GB of memory".
        memory = messages.get(split.key, "").partition(" with ")[2].partition(" of ")[0]
        seconds = sum(node.seconds for node in split.tree.nodes) if split.tree else 0.0
        trained = view.has_supernet and bool(leaves)
        rows.append(
            {
                "scoring": duration_text(seconds) if seconds else None,
                "memory": memory or None,
                "training": sum(map(step_work, leaves)) / whole if trained else None,
            }
        )
    return pd.DataFrame(rows, [split.label for split in splits])


def _with_best_tree(
    view: View, splits: list[SplitInView], evaluator: SplitEvaluator
) -> pd.DataFrame:
    """Return the reports of splits; a partition is compared with the best tree of default shape."""
    table = noted_reports(splits, evaluator)
    partitions = table["split"].isin([split.label for split in splits if split.is_partition])
    if partitions.any() and (best := evaluator.best_tree(view.space).gain_bits):
        table["best_bits"] = table["best_bits"].mask(partitions, best)
        share = table["gain_bits"] / best
        table["share_of_best"] = table["share_of_best"].mask(partitions, share)
    return table


def _show_summary(
    reports: pd.DataFrame, splits: list[SplitInView], costs: pd.DataFrame, source: Sequence[str]
) -> None:
    costs = costs.loc[reports["split"]]
    training = "Of all its sub-supernets, each for as many epochs as one supernet, in units of its "
    training += "cost: estimated from the operations that are enabled"
    ties = {split.label: split.ties for split in splits if split.tree is not None}
    best_mean = "The sub-space with the highest mean accuracy: it would be searched first"
    bound = 100 * reports["gain_bits"] / reports["top_entropy_bits"]
    bounds = {
        "best tree, bits": (reports["best_bits"], numbers("%.4f", GLOSSARY["best tree"])),
        "bound, bits": (reports["top_entropy_bits"], numbers("%.4f", GLOSSARY["partition"])),
        "of bound": (bound, numbers("%.1f%%", GLOSSARY["partition"])),
    }
    uneven = "How unevenly the top is distributed, 0 to 1"
    optimum = reports["optimum"].map(", ".join)
    show_columns(
        {
            "split": reports["split"],
            "gain, bits": (reports["gain_bits"], numbers("%.4f", GLOSSARY["information gain"])),
            "of best": (
                100 * reports["share_of_best"],
                numbers("%.1f%%", f"Share of the gain of the best tree. {GLOSSARY['best tree']}"),
            ),
            **(bounds if any(split.is_partition for split in splits) else {}),
            "percentile": (reports["percentile"], numbers("%.1f", GLOSSARY["percentile"])),
            "scoring": (costs["scoring"].to_list(), TextColumn(help="Time to score operations")),
            "memory": (costs["memory"].to_list(), TextColumn(help="Peak memory of its run")),
            "training": (costs["training"].to_list(), numbers("%.1f", training)),
            "Gini": (reports["gini"], numbers("%.2f", uneven)),
            "ties": (reports["split"].map(ties), numbers("%d", GLOSSARY["tie"])),
            "optimum": (optimum, TextColumn(help="The sub-space of the best architecture")),
            "best mean": (reports["best_mean"].map(", ".join), TextColumn(help=best_mean)),
            "notes": reports["notes"],
        },
        f"{len(reports)} splits, the most informative first",
        export="splits",
        source=source,
    )


def _show_other_data_sets(view: View, splits: list[SplitInView], evaluator: SplitEvaluator) -> None:
    """Show how informative the same splits are on the other data sets."""
    rows: dict[str, dict[str, float | None]] = {split.label: {} for split in splits}
    labels = []
    for task in view.space.datasets:
        there = view.evaluator(task.name)
        if there is None:
            continue
        labels.append(task.label)
        for split in splits:
            comparison = there.report(split.leaves).comparison
            share = comparison.share_of_best if comparison else None
            rows[split.label][labels[-1]] = None if share is None else 100 * share
    st.markdown("Information gain on every data set, in % of that of the best tree there.")
    show_table(
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("split").reset_index(),
        "Share of the best tree's information gain, by split and data set",
        dict.fromkeys(labels, numbers("%.1f%%")),
        export="data_sets",
        source=rests_on(splits),
    )


def _show_uncertainty(view: View, splits: list[SplitInView], evaluator: SplitEvaluator) -> None:
    """Show how much the information gain depends on the seeds of the trainings in the table."""
    where = view.workspace, view.scope(), view.threshold
    found = {split.label: _resampled_gains(*where, split.leaves) for split in splits}
    frames = [frame.assign(split=label) for label, frame in found.items() if frame is not None]
    if not frames:
        st.markdown("The table in view has only means: choose one with single trainings.")
        return
    st.markdown(
        "Information gain in bits on 100 resampled tables, in which each architecture has the "
        "accuracy of one of its trainings. Their noise blurs the top, so the gain is lower than on "
        "a table of means."
    )
    statistics = ["mean", "std", "min", "max"]
    show_table(
        pd.concat(frames)[["split", "tables", *statistics]],
        "Mean, standard deviation, minimum and maximum of each split's information gain over "
        "resampled seeds",
        dict.fromkeys(statistics, numbers("%.4f")),
        export="training_seeds",
        source=[*view.source[:2], *rests_on(splits)],
    )


@st.cache_data(show_spinner="Resampling training seeds", max_entries=64)
def _resampled_gains(
    _workspace: Workspace, scope: Scope, threshold: float, leaves: Leaves
) -> pd.DataFrame | None:
    """Return a split's information gain over resampled seeds; None where there are no seeds."""
    table, dataset, kind, limit = scope
    try:
        seeds = load_seeds(dataset, kind, table.name, _workspace.data_dir, table.space)
    except TableError:
        return None
    if limit is not None:
        space = get_space(table.space, _workspace.data_dir)
        seeds = limit.restrict(seeds, dataset, _workspace.data_dir, space)
    frame = seed_uncertainty(leaves, seeds, threshold)
    return frame[(frame["source"] == "resampled") & (frame["quantity"] == "gain_bits")]


def _show_export(view: View) -> None:
    split = view.split
    if split is None:
        st.caption("There is no split in view.")
        return
    st.markdown(f"**{plain(split.label)}**, chosen in the sidebar")
    name = f"{split.key}-labels.csv"
    offer_download(
        "Labels of architectures (CSV)", lambda: partition_csv(split.leaves), name, "export_labels"
    )
    if split.is_partition:
        return
    document = NamedSplit(split.name.lstrip("#"), split.dataset, split.leaves, split.tree)
    if split.tree is not None:
        name = f"{split.key}.json"
        offer_download("Tree with scores (JSON)", split.tree.to_json, name, "export_tree")
    offer_download(
        "Masks (JSON)",
        lambda: json.dumps(masks_of_splits([document]), indent=2),
        f"{split.key}-masks.json",
        "export_masks",
    )
    if split.space == NAS_BENCH_201:
        offer_download(
            "Search configurations (YAML, zipped)",
            lambda: zip_archive(search_configs(document)),
            f"{split.key}.zip",
            "export_configs",
            help="In the format of the code of the paper's authors",
        )
