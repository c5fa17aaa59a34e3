"""Splits that come from files and go into files."""

import json

import streamlit as st

from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.views import View
from fewshot_core.errors import FewshotError
from fewshot_core.splitting.files import LARGEST, parse_splits, zip_archive
from fewshot_core.splitting.imported import remove_imported, store_splits
from fewshot_core.splitting.masks import masks_of_splits
from fewshot_core.splitting.named_split import NamedSplit
from fewshot_core.splitting.search_configs import search_configs

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
