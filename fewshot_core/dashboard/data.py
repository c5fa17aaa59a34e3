"""Accuracy tables and images on a page."""

import shutil
import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from fewshot_core.bench import (
    FORMS,
    KINDS,
    PACKAGED_TABLE,
    SCALES,
    ColumnMapping,
    TablePreview,
    TableSet,
    damaged_tables,
    import_table,
    list_tables,
    preview_table,
    remove_table,
)
from fewshot_core.dashboard.shared.controls import offer_removal
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.images import (
    SYNTHETIC,
    download,
    list_sources,
    register_source,
    unregister_source,
)

_UNUSED = "not used"
_UPLOADS = "uploaded_tables"


def show_tables(workspace: Workspace) -> None:
    """List the tables, and offer to import or to remove one."""
    st.subheader("Accuracy tables")
    tables = list_tables(workspace.data_dir)
    rows = [
        {"table": info.label, **_set_row(item), "source": info.source, "name": info.name}
        for info in tables
        for item in info.sets
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=f"{len(tables)} accuracy tables")
    for name, problem in damaged_tables(workspace.data_dir):
        st.warning(f"{name}: {problem}", icon=":material/warning:")
    removable = [info.name for info in tables if info.name != PACKAGED_TABLE]
    removable += [name for name, _ in damaged_tables(workspace.data_dir)]
    if removable:
        offer_removal(
            "a table", "table", removable, lambda name: remove_table(name, workspace.data_dir)
        )
    with st.expander("Import a table", icon=":material/upload_file:", expanded=not removable):
        _show_import(workspace)


def _set_row(item: TableSet) -> dict[str, object]:
    return {
        "data set": DATASETS.get(item.dataset).label,
        "accuracy": item.kind,
        "architectures": f"{item.architectures:,}" + ("" if item.complete else ", incomplete"),
        "seeds": item.seeds,
        "epochs": item.epochs,
    }


def _show_import(workspace: Workspace) -> None:
    st.markdown(
        "A CSV file with one row for each architecture, a NATS-Bench topology folder "
        "(`NATS-tss-...-simple`) or a NAS-Bench-201 file (`.pth`). Every row is checked before "
        "anything is stored."
    )
    left, right = st.columns(2, vertical_alignment="bottom")
    uploaded = left.file_uploader(
        "File", type=["csv", "gz", "pth"], key="table_upload", help="Folders go by their path."
    )
    typed = right.text_input(
        "or a path on this machine",
        key="table_path",
        placeholder="/path/to/file-or-folder",
    )
    path = _stored_upload(uploaded) if uploaded is not None else None
    if path is None and typed.strip():
        path = Path(typed.strip()).expanduser()
    if path is None:
        return
    try:
        preview = preview_table(path)
        mapping = _confirm_mapping(preview) if preview.columns else None
        if mapping is not None:
            preview = preview_table(path, mapping)
    except (FewshotError, OSError) as error:
        st.error(str(error), icon=":material/error:")
        return
    _show_preview(workspace, path, preview, mapping)


def _stored_upload(uploaded: "st.runtime.uploaded_file_manager.UploadedFile") -> Path:
    """Return an uploaded file's copy on the disk, made once for each upload of the session."""
    stored: dict[str, Path] = st.session_state.setdefault(_UPLOADS, {})
    if uploaded.file_id not in stored:
        for old in stored.values():
            shutil.rmtree(old.parent, ignore_errors=True)
        stored.clear()
        path = Path(tempfile.mkdtemp(prefix="fewshot-upload-")) / Path(uploaded.name).name
        with path.open("wb") as file:
            shutil.copyfileobj(uploaded, file)
        stored[uploaded.file_id] = path
    return stored[uploaded.file_id]


def _confirm_mapping(preview: TablePreview) -> ColumnMapping | None:
    """Ask what the columns of a CSV file hold, beginning with what was understood."""
    proposed = preview.mapping
    st.markdown("**What the columns hold**")
    st.dataframe(preview.rows.head(3), hide_index=True, alt="The first rows of the file")
    columns = list(preview.columns)
    first, second, third = st.columns(3)
    start = columns.index(proposed.architecture) if proposed else 0
    architecture = first.selectbox("Architecture", columns, index=start, key="map_architecture")
    form = second.selectbox(
        "written as",
        list(FORMS),
        index=list(FORMS).index(proposed.form) if proposed else 0,
        key="map_form",
    )
    scale = third.selectbox(
        "Accuracies are",
        list(SCALES),
        index=list(SCALES).index(proposed.scale) if proposed else 0,
        key="map_scale",
    )
    known_columns = proposed.columns if proposed else ()
    meant = {column: f"{dataset} {kind}" for column, dataset, kind in known_columns}
    choices = [_UNUSED, *(f"{dataset} {kind}" for dataset in DATASETS.names() for kind in KINDS)]
    chosen = []
    others = [column for column in columns if column != architecture]
    for place, column in zip(_grid(len(others)), others, strict=True):
        known = meant.get(column, _UNUSED)
        answer = place.selectbox(
            column, choices, index=choices.index(known), key=f"map_column_{column}"
        )
        if answer != _UNUSED:
            dataset, _, kind = answer.partition(" ")
            chosen.append((column, dataset, kind))
    if not chosen:
        st.info("Say of at least one column which accuracies it holds.")
        return None
    return ColumnMapping(architecture, tuple(chosen), form, scale)


def _grid(count: int) -> list["st.delta_generator.DeltaGenerator"]:
    places: list[st.delta_generator.DeltaGenerator] = []
    while len(places) < count:
        places += st.columns(4)
    return places[:count]


def _show_preview(
    workspace: Workspace, path: Path, preview: TablePreview, mapping: ColumnMapping | None
) -> None:
    """Show what was understood, and store it when that is confirmed."""
    if preview.sets:
        st.markdown("**What was understood**")
        st.dataframe(
            pd.DataFrame([_set_row(item) for item in preview.sets]),
            hide_index=True,
            alt="Data sets and kinds of accuracy in the file",
        )
        st.dataframe(
            preview.best,
            hide_index=True,
            column_config={"accuracy_mean": st.column_config.NumberColumn("best %", format="%.4f")},
            alt="The best architecture of each",
        )
    if preview.problem is not None and (mapping is not None or not preview.columns):
        st.error(preview.problem, icon=":material/error:")
        return
    if preview.columns and mapping is None:
        return
    name = st.text_input("Name", value=preview.name, key="table_name")
    replace = st.checkbox("Replace a table of this name", key="table_replace")
    if st.button("Import", type="primary", key="import_table", icon=":material/check:"):
        try:
            with st.spinner("Checking and storing every row"):
                info = import_table(
                    path, name.strip(), None, mapping, replace=replace, data_dir=workspace.data_dir
                )
        except (FewshotError, OSError) as error:
            st.error(f"Nothing was imported. {error}", icon=":material/error:")
            return
        st.toast(f"Imported {info.name}", icon=":material/check:")
        st.rerun()


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
