"""Curves made elsewhere: importing and removing them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from fewshot_core.dashboard.controls import offer_removal
from fewshot_core.dashboard.curve_sources import FILE, JUST_IMPORTED
from fewshot_core.dashboard.page import Workspace
from fewshot_core.errors import FewshotError
from fewshot_core.selection import imported_curves, remove_curves, store_curves
from fewshot_core.selection.reading import LARGEST


def show_curve_files(workspace: Workspace, expanded: bool = False) -> None:
    """Offer to import curves, and to remove imported ones."""
    with st.expander("Import curves", icon=":material/upload_file:", expanded=expanded):
        _show_import(workspace)
        names = imported_curves(workspace.data_dir)
        if names:
            offer_removal(
                "curves", "curves", names, lambda name: remove_curves(name, workspace.data_dir)
            )


def _show_import(workspace: Workspace) -> None:
    st.markdown(
        "A CSV file with one row for each sub-space and epoch: `sub_space`, `epoch`, "
        "`valid_accuracy` (the supernet's) and `test_accuracy` (of the architecture found then), "
        "both in percent; if you like `valid_loss`, `seed` and `architecture`. Epoch 0 is the "
        "state before training. Every line is checked before anything is stored."
    )
    file = st.file_uploader(
        "File", type=["csv"], key="curves_file", max_upload_size=LARGEST // 1_000_000
    )
    if file is None or not st.button("Import", key="import_curves", type="primary"):
        return
    try:
        with TemporaryDirectory(prefix="fewshot-curves-") as folder:
            path = Path(folder) / Path(file.name).name
            path.write_bytes(file.getvalue())
            about = store_curves(path, workspace.data_dir)
    except (FewshotError, OSError) as error:
        st.error(f"Nothing was imported. {error}", icon=":material/error:")
        return
    st.session_state[JUST_IMPORTED] = f"{FILE}{about.name}"
    st.toast(f"Imported {about.name}", icon=":material/check:")
    st.rerun()
