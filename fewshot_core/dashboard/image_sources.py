"""Images: which are known, and adding some by path or by download."""

from pathlib import Path

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.page import Workspace
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.images import (
    SYNTHETIC,
    download,
    list_sources,
    register_source,
    unregister_source,
)


def show_images(workspace: Workspace) -> None:
    """List the sources of images, and offer to add or to forget some."""
    st.subheader("Images")
    try:
        sources = list_sources(None, workspace.data_dir)
    except FewshotError as error:
        st.error(str(error), icon=":material/error:")
        return
    rows = [
        {
            "data set": DATASETS.get(source.dataset).label,
            "what": source.problem or source.label,
            "name": source.name,
            "where": "" if source.synthetic else str(source.path),
        }
        for source in sources
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=f"{len(rows)} sources of images")
    real = {source.dataset for source in sources if source.name != SYNTHETIC}
    with st.expander("Add images", icon=":material/image:", expanded=not real):
        _show_adding(workspace)
    registered = [
        (source.dataset, source.name)
        for source in sources
        if source.name not in (SYNTHETIC, "data-folder")
    ]
    if registered:
        _offer_forgetting(workspace, registered)


def _show_adding(workspace: Workspace) -> None:
    dataset = st.selectbox(
        "Data set of the images",
        DATASETS.names(),
        key="images_dataset",
        format_func=lambda name: DATASETS.get(name).label,
    )
    label = DATASETS.get(dataset).label
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    typed = left.text_input(
        "Folder or archive on this machine",
        key="images_path",
        placeholder="/path/to/images",
        help="The official Python archive or its folder, or train-*.parquet files. It is "
        "remembered where it is, and nothing is copied.",
    )
    if right.button("Add", key="add_images", disabled=not typed.strip(), width="stretch"):
        try:
            source = register_source(
                dataset, Path(typed.strip()).expanduser(), data_dir=workspace.data_dir
            )
        except (FewshotError, OSError) as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.toast(f"Added {source.name}: {source.label}", icon=":material/check:")
            st.rerun()
    if dataset == "ImageNet16-120":
        st.caption(
            "ImageNet16-120 cannot be downloaded freely: register at image-net.org and take the "
            "16x16 downsampled ImageNet in its Python format."
        )
    elif st.button(f"Download {label} (about 170 MB)", key="download", icon=":material/download:"):
        _download(workspace, dataset)


def _download(workspace: Workspace, dataset: str) -> None:
    bar = _PageBar()
    try:
        source = download(dataset, workspace.data_dir, bar)
    except (FewshotError, OSError) as error:
        st.error(str(error), icon=":material/error:")
    else:
        st.toast(f"Downloaded {source.label}", icon=":material/check:")
        st.rerun()
    finally:
        bar.close()


class _PageBar:
    """A progress bar on a page, in the form that pooch asks for."""

    def __init__(self) -> None:
        self.total = 0
        self._done = 0
        self._place = st.empty()

    def update(self, count: int) -> None:
        """Add bytes."""
        self._done += count
        share = min(1.0, self._done / self.total) if self.total else 0.0
        self._place.progress(share, f"{self._done / 1e6:.0f} of {self.total / 1e6:.0f} MB")

    def reset(self) -> None:
        """Begin again."""
        self._done = 0

    def close(self) -> None:
        """Take the bar away."""
        self._place.empty()


def _offer_forgetting(workspace: Workspace, registered: list[tuple[str, str]]) -> None:
    with st.popover("Forget images", icon=":material/link_off:"):
        dataset, name = st.selectbox(
            "Images to forget",
            registered,
            key="images_to_forget",
            format_func=lambda pair: f"{pair[1]} ({DATASETS.get(pair[0]).label})",
        )
        st.caption("The files stay where they are.")
        if st.button("Forget", type="primary", key="forget_images"):
            try:
                unregister_source(dataset, name, workspace.data_dir)
            except (FewshotError, OSError) as error:
                st.error(str(error))
            else:
                st.rerun()
