"""Accuracy tables and images on the page Runs and data."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fewshot_core.bench import (
    FORMS,
    KINDS,
    PACKAGED_TABLE,
    SCALES,
    ColumnMapping,
    TablePreview,
    TableSet,
    damaged_tables,
    find_architecture,
    import_table,
    list_tables,
    preview_table,
    remove_table,
)
from fewshot_core.dashboard.shared.controls import (
    notify,
    numbers,
    offer_removal,
    plain,
    show_errors,
    show_table,
    stored_upload,
)
from fewshot_core.dashboard.shared.figures import in_columns
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.requests import seen_images
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import ImagesError
from fewshot_core.images import (
    SYNTHETIC,
    ImageSource,
    download,
    list_sources,
    register_source,
    unregister_source,
)

_UNUSED = "not used"


def show_tables(workspace: Workspace) -> None:
    """List the accuracy tables, with their import and removal."""
    st.subheader("Accuracy tables")
    data_dir = workspace.data_dir
    tables, damaged = list_tables(data_dir), damaged_tables(data_dir)
    rows = [
        {"table": info.label, **_set_row(item), "source": info.source, "name": info.name}
        for info in tables
        for item in info.sets
    ]
    show_table(pd.DataFrame(rows), f"{len(tables)} accuracy tables")
    for name, problem in damaged:
        st.warning(plain(f"{name}: {problem}"), icon=":material/warning:")
    removable = [info.name for info in tables if info.name != PACKAGED_TABLE]
    removable += [name for name, _ in damaged]
    if removable:
        offer_removal("a table", "table", removable, lambda name: remove_table(name, data_dir))
    place = st.expander("Import a table", icon=":material/upload_file:", expanded=not removable)
    with place, show_errors():
        _show_import(data_dir)


def _set_row(item: TableSet) -> dict[str, object]:
    return {
        "data set": DATASETS.label(item.dataset),
        "accuracy": item.kind,
        "architectures": f"{item.architectures:,}" + ("" if item.complete else ", incomplete"),
        "seeds": item.seeds,
        "epochs": item.epochs,
    }


def _show_import(data_dir: Path) -> None:
    st.markdown(
        "A CSV file with one row for each architecture, a NATS-Bench topology folder "
        "(`NATS-tss-...-simple`) or a NAS-Bench-201 file (`.pth`). Every row is checked before "
        "anything is stored."
    )
    left, right = st.columns(2, vertical_alignment="bottom")
    uploaded = left.file_uploader(
        "File", type=["csv", "gz", "pth"], key="table_upload", help="For a folder, give its path."
    )
    typed = right.text_input(
        "or a path on this machine", key="table_path", placeholder="/path/to/file-or-folder"
    )
    if uploaded is not None:
        path = stored_upload(uploaded)
    elif typed.strip():
        path = Path(typed.strip()).expanduser()
    else:
        return
    preview, mapping = preview_table(path), None
    if preview.columns:
        mapping = _choose_mapping(preview)
        if mapping is None:
            return
        preview = preview_table(path, mapping)
    _show_preview(preview)
    if preview.problem is not None:
        st.error(plain(preview.problem), icon=":material/error:")
        return
    name = st.text_input("Name", value=preview.name, key="table_name").strip()
    replace = st.checkbox("Replace a table of this name", key="table_replace")
    if st.button("Import", type="primary", key="import_table", icon=":material/check:"):
        with show_errors("Nothing was imported. "):
            with st.spinner("Checking and storing every row"):
                info = import_table(path, name, None, mapping, replace=replace, data_dir=data_dir)
            notify(f"Imported the table {plain(info.name)}")
            st.rerun()


def _choose_mapping(preview: TablePreview) -> ColumnMapping | None:
    """Choose what the columns of a CSV file contain, beginning with what was recognised."""
    st.markdown("**Columns**")
    show_table(preview.rows.head(3), "The first rows of the file")
    proposed, columns = preview.mapping, list(preview.columns)
    architecture, form = find_architecture(preview.rows) or (columns[0], next(iter(FORMS)))
    scale = next(iter(SCALES))
    if proposed:
        architecture, form, scale = proposed.architecture, proposed.form, proposed.scale
    first, second, third = st.columns(3)
    architecture = _choose_from(columns, architecture, "Architecture", "map_architecture", first)
    form = _choose_from(FORMS, form, "Format", "map_form", second)
    scale = _choose_from(SCALES, scale, "Accuracies are", "map_scale", third)
    known = proposed.columns if proposed else ()
    meant = {column: f"{dataset} {kind}" for column, dataset, kind in known}
    choices = [_UNUSED, *(f"{dataset} {kind}" for dataset in DATASETS.names() for kind in KINDS)]
    chosen = []
    others = [column for column in columns if column != architecture]
    for place, column in in_columns(others, 4):
        content = _choose_from(
            choices, meant.get(column, _UNUSED), plain(column), f"map_column_{column}", place
        )
        if content != _UNUSED:
            dataset, _, kind = content.partition(" ")
            chosen.append((column, dataset, kind))
    if not chosen:
        st.info("Choose the accuracies of at least one column.")
        return None
    return ColumnMapping(architecture, tuple(chosen), form, scale)


def _choose_from(
    options: Iterable[str], first: str, label: str, key: str, place: DeltaGenerator
) -> str:
    names = list(options)
    return str(place.selectbox(label, names, index=names.index(first), key=key))


def _show_preview(preview: TablePreview) -> None:
    if not preview.sets:
        return
    st.markdown("**Preview**")
    sets = pd.DataFrame([_set_row(item) for item in preview.sets])
    show_table(sets, "Data sets and kinds of accuracy in the file")
    best = {"accuracy_mean": numbers("%.4f", label="best %")}
    show_table(preview.best, "The best architecture of each", best)


def show_images(workspace: Workspace) -> None:
    """List the sources of images, with their addition and removal."""
    st.subheader("Images")
    with show_errors():
        _show_sources(workspace.data_dir)


def _show_sources(data_dir: Path) -> None:
    sources = list_sources(None, data_dir)
    rows = [
        {
            "data set": DATASETS.label(source.dataset),
            "what": source.problem or source.label,
            "name": source.name,
            "where": "" if source.synthetic else str(source.path),
        }
        for source in sources
    ]
    show_table(pd.DataFrame(rows), f"{len(rows)} sources of images")
    real = any(source.name != SYNTHETIC for source in sources)
    with st.expander("Add images", icon=":material/image:", expanded=not real):
        _show_adding(data_dir)
    registered = [
        (source.dataset, source.name)
        for source in sources
        if source.name not in (SYNTHETIC, "data-folder")
    ]
    if registered:
        offer_removal(
            "images",
            "images",
            registered,
            lambda pair: unregister_source(*pair, data_dir),
            lambda pair: f"{pair[1]} ({DATASETS.label(pair[0])})",
        )


def _show_adding(data_dir: Path) -> None:
    dataset = st.selectbox(
        "Data set of the images", DATASETS.names(), key="images_dataset", format_func=DATASETS.label
    )
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    typed = left.text_input(
        "Folder or archive on this machine",
        key="images_path",
        placeholder="/path/to/images",
        help="The official Python archive or its folder, or train-*.parquet files. Only the path "
        "is stored; nothing is copied.",
    ).strip()
    # Never disabled: the click that ends the typing is the one that adds them.
    if right.button("Add", key="add_images", width="stretch"):
        with show_errors():
            if not typed:
                raise ImagesError("Expected the path of a folder or archive: type one.")
            source = register_source(dataset, Path(typed).expanduser(), data_dir=data_dir)
            _select(source, data_dir)
            st.rerun()
    if dataset == "ImageNet16-120":
        st.caption(
            "ImageNet16-120 cannot be downloaded freely: register at image-net.org and take the "
            "16x16 downsampled ImageNet in its Python format."
        )
        return
    label = f"Download {DATASETS.label(dataset)} (about 170 MB)"
    if st.button(label, key="download", icon=":material/download:"):
        bar = _ProgressBar()
        with show_errors():
            _select(download(dataset, data_dir, bar), data_dir)
            st.rerun()
        bar.close()


def _select(source: ImageSource, data_dir: Path) -> None:
    """Choose new images in the forms, and say so."""
    others = [each.name for each in list_sources(source.dataset, data_dir)]
    others.remove(source.name)
    st.session_state[seen_images(source.dataset)] = others
    label = DATASETS.label(source.dataset)
    notify(f"Added images of {label}: {plain(source.name)}. New splits and searches use them.")


class _ProgressBar:
    """A progress bar on the page, as pooch expects it."""

    def __init__(self) -> None:
        self.total = 0
        self._done = 0
        self._place = st.empty()

    def update(self, count: int) -> None:
        self._done += count
        share = min(1.0, self._done / self.total) if self.total else 0.0
        self._place.progress(share, f"{self._done / 1e6:.0f} of {self.total / 1e6:.0f} MB")

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        self._place.empty()
