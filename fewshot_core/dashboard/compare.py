"""The Compare page."""

import json

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.analysis import KEEP_STRATEGIES, SplitEvaluator, agreement_matrix, keep_k
from fewshot_core.dashboard.shared.figures import kept, show_figure
from fewshot_core.dashboard.shared.informativeness import (
    draw_small,
    named,
    show_informativeness,
    show_splits_source,
    small_notes,
    some_of_each,
)
from fewshot_core.dashboard.shared.loading import (
    Named,
    describe,
    finding,
    load_evaluator,
    reports,
    uncertainty,
)
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.sidebar import (
    View,
    show_missing_split,
    show_missing_table,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    list_splits,
    open_splits,
    shortened,
)
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.plots import STYLES, agreement_figure, keep_figure, top_map_figure
from fewshot_core.splitting.files import (
    LARGEST,
    masks_of_splits,
    parse_splits,
    remove_imported,
    store_splits,
    zip_archive,
)
from fewshot_core.splitting.search_configs import search_configs
from fewshot_core.splitting.tree import NamedSplit

MOST = 9
"""How many splits are compared at once."""

_PER_ROW = 3


def show_comparison(workspace: Workspace, view: View) -> None:
    """Show the chosen splits beside each other."""
    splits = _choose_splits(workspace, view)
    if not splits:
        return
    evaluator = load_evaluator(workspace, view)
    if evaluator is None:
        show_missing_table(view)
        return
    chosen = named(splits)
    st.markdown(f"**{finding(chosen, evaluator)}**")
    show_informativeness(view, evaluator, splits, "compare_standing")
    _show_summary(reports(chosen, evaluator), splits)
    _show_distributions(view, evaluator, splits)
    left, right = st.columns(2, gap="large")
    with left:
        show_figure(_draw_map(chosen, evaluator, view.top_label), "compare_map", wide=True)
        show_figure(_draw_agreement(chosen), "compare_agreement", wide=True)
    with right:
        _show_keeping(view, evaluator, splits)
    show_splits_source(view, splits, "compare_source")
    _show_other_data_sets(workspace, view, splits)
    _show_uncertainty(workspace, view, splits)


@kept
def _draw_map(chosen: Named, evaluator: SplitEvaluator, top_label: str) -> go.Figure:
    return top_map_figure({name: describe(leaves, evaluator) for name, leaves in chosen}, top_label)


@kept
def _draw_agreement(chosen: Named) -> go.Figure:
    return agreement_figure(agreement_matrix(dict(chosen)))


@kept
def _draw_keeping(
    chosen: Named, evaluator: SplitEvaluator, strategy: str, axis_title: str
) -> go.Figure:
    frame = pd.concat(
        [keep_k(leaves, evaluator.accuracy).assign(split=name) for name, leaves in chosen]
    )
    return keep_figure(frame[frame["strategy"] == strategy], axis_title)


def _choose_splits(workspace: Workspace, view: View) -> list[SplitInView]:
    labels = list_splits(workspace, view.dataset)
    if not labels:
        show_missing_split(view)
        return []
    short = shortened(labels)
    chosen = st.multiselect(
        f"Splits of {DATASETS.get(view.dataset).label}",
        list(labels),
        default=some_of_each(labels)[:MOST],
        key="splits",
        bind="query-params",
        max_selections=MOST,
        format_func=short.__getitem__,
    )
    if not chosen:
        st.info("Choose two splits or more.", icon=":material/compare_arrows:")
    return open_splits(workspace, chosen)


def _show_summary(reports: pd.DataFrame, splits: list[SplitInView]) -> None:
    arbitrary = {split.label: split.arbitrary for split in splits if split.tree is not None}
    table = pd.DataFrame(
        {
            "split": reports["split"],
            "gain, bits": reports["gain_bits"],
            "of the best": 100 * reports["share_of_best"],
            "percentile": reports["percentile"],
            "Gini": reports["gini"],
            "optimum in": reports["optimum"].map(", ".join),
            "best mean in": reports["best_mean"].map(", ".join),
            "the same": reports["optimum_in_best_mean"],
            "arbitrary nodes": reports["split"].map(arbitrary),
        }
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        table,
        hide_index=True,
        placeholder="-",
        column_config={
            "gain, bits": number(format="%.4f"),
            "of the best": number(format="%.0f%%", help="Of the best tree of the same shape"),
            "percentile": number(format="%.1f", help="Share of random trees that tell less"),
            "Gini": number(format="%.2f", help="How unevenly the top lies, 0 to 1"),
            "optimum in": st.column_config.TextColumn(help="Where the best architecture is"),
            "the same": st.column_config.CheckboxColumn(
                help="Whether the optimum is in the sub-space with the highest mean accuracy"
            ),
        },
        alt=f"{len(table)} splits, the one that tells most first",
    )


def _show_distributions(view: View, evaluator: SplitEvaluator, splits: list[SplitInView]) -> None:
    st.subheader("What is inside")
    style = st.segmented_control(
        "Drawn as",
        list(STYLES),
        default=next(iter(STYLES)),
        required=True,
        key="compare_style",
        bind="query-params",
        format_func=STYLES.__getitem__,
    )
    for start in range(0, len(splits), _PER_ROW):
        columns = st.columns(_PER_ROW)
        for column, split in zip(columns, splits[start : start + _PER_ROW], strict=False):
            with column:
                axis_title = f"{view.kind} accuracy, %"
                figure = draw_small(split.leaves, evaluator, axis_title, style, split.label)
                show_figure(figure, f"compare_{split.key}")
                st.caption(small_notes(split.leaves, evaluator, style))


def _show_keeping(view: View, evaluator: SplitEvaluator, splits: list[SplitInView]) -> None:
    strategy = st.selectbox(
        "Sub-spaces kept",
        list(KEEP_STRATEGIES),
        index=list(KEEP_STRATEGIES).index("mean"),
        key="keep",
        bind="query-params",
        format_func=KEEP_STRATEGIES.__getitem__,
    )
    figure = _draw_keeping(named(splits), evaluator, str(strategy), f"best {view.axis_title}")
    show_figure(figure, "compare_keep")


def _show_other_data_sets(workspace: Workspace, view: View, splits: list[SplitInView]) -> None:
    """Say how much the same splits would tell about the other data sets."""
    rows: dict[str, dict[str, float | None]] = {split.label: {} for split in splits}
    for dataset in DATASETS.names():
        evaluator = load_evaluator(workspace, view, dataset)
        if evaluator is None:
            continue
        for split in splits:
            comparison = evaluator.report(split.leaves).comparison
            share = comparison.share_of_best if comparison else None
            rows[split.label][DATASETS.get(dataset).label] = None if share is None else 100 * share
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("split").reset_index()
    st.subheader("The same splits on the other data sets")
    st.caption(
        "How much each split would tell about the top of every data set, in % of the best tree "
        "there."
    )
    names = [column for column in table.columns if column != "split"]
    number = st.column_config.NumberColumn(format="%.0f%%")
    st.dataframe(
        table,
        hide_index=True,
        placeholder="-",
        column_config=dict.fromkeys(names, number),
        alt="Share of the best tree's information gain, by split and data set",
    )


def _show_uncertainty(workspace: Workspace, view: View, splits: list[SplitInView]) -> None:
    """Say how much the numbers depend on the seeds with which architectures were trained."""
    st.subheader("Over training seeds")
    asked = st.toggle(
        "Resample the trainings",
        key="resample",
        bind="query-params",
        help="Gives each architecture the accuracy of one of its trainings, 100 times, and looks "
        "at every split again. It takes about a second for each split.",
    )
    if not asked:
        return
    found = {split.label: uncertainty(workspace, view, split.leaves) for split in splits}
    frames = [frame.assign(split=label) for label, frame in found.items() if frame is not None]
    if not frames:
        st.caption("The table in view knows only means: choose one with the single trainings.")
        return
    frame = pd.concat(frames)
    gains = frame[(frame["source"] == "resampled") & (frame["quantity"] == "gain_bits")]
    number = st.column_config.NumberColumn(format="%.4f")
    st.caption(
        "Information gain in bits when every architecture was trained once: the noise of single "
        "trainings blurs the top, so these are lower than with means."
    )
    st.dataframe(
        gains[["split", "tables", "mean", "std", "min", "max"]],
        hide_index=True,
        column_config=dict.fromkeys(["mean", "std", "min", "max"], number),
        alt="Mean, deviation, least and most of each split's information gain over resampled seeds",
    )


_FILE = "file-"


def show_split_files(workspace: Workspace, view: View) -> None:
    """Offer to import splits, and to export or remove the one in view."""
    left, right = st.columns(2, gap="large")
    with left, st.expander("Import splits", icon=":material/upload_file:"):
        _show_import(workspace)
    with right, st.expander("Export the split in view", icon=":material/download:"):
        _show_export(workspace, view)


def _show_import(workspace: Workspace) -> None:
    st.markdown(
        'A JSON file of masks, `{"splits": {metric: {data set: [sub-space, ...]}}}`, a splitting '
        "tree of this workbench, or the search configurations (YAML) of one split, all files at "
        "once. The sub-spaces must cover all 15,625 architectures once."
    )
    files = st.file_uploader(
        "Files",
        type=["json", "yaml", "yml"],
        accept_multiple_files=True,
        max_upload_size=LARGEST // 1_000_000,
        key="split_files",
    )
    if files and st.button("Import", key="import_splits", type="primary"):
        try:
            texts = {file.name: file.getvalue().decode("utf-8") for file in files}
            splits = parse_splits(texts, files[0].name)
            names = store_splits(splits, files[0].name, workspace.data_dir)
        except (FewshotError, OSError, UnicodeDecodeError) as error:
            st.error(f"Nothing was imported. {error}", icon=":material/error:")
            return
        st.toast(f"Imported {len(names)} splits", icon=":material/check:")
        st.rerun()


def _show_export(workspace: Workspace, view: View) -> None:
    split = view.split
    if split is None:
        st.caption("There is no split in view.")
        return
    st.markdown(f"**{split.label}**, chosen at the left")
    named = NamedSplit(split.name.lstrip("#"), split.dataset, split.leaves, split.tree)
    if split.tree is not None:
        st.download_button(
            "Tree with scores (JSON)",
            split.tree.to_json,
            f"{split.key}.json",
            "application/json",
            key="export_tree",
        )
    st.download_button(
        "Masks (JSON)",
        lambda: _masks_text(named),
        f"{split.key}-masks.json",
        "application/json",
        key="export_masks",
    )
    st.download_button(
        "Search configurations (YAML, zipped)",
        lambda: zip_archive(search_configs(named)),
        f"{split.key}.zip",
        "application/zip",
        key="export_configs",
        help="In the form in which the code of the paper's authors reads them",
    )
    if split.key.startswith(_FILE) and st.button("Remove this split", key="remove_split"):
        remove_imported(split.key.removeprefix(_FILE), workspace.data_dir)
        st.rerun()


def _masks_text(split: NamedSplit) -> str:
    return json.dumps(masks_of_splits([split]), indent=2)
