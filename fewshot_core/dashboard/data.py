"""The Data page: search spaces, accuracy tables, imported splits and images."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import TextColumn
from streamlit.delta_generator import DeltaGenerator

from fewshot_core import limits
from fewshot_core.bench import (
    FORMS,
    IMPORTERS,
    KINDS,
    PACKAGED_TABLE,
    ROLES,
    SCALES,
    USUAL_EPOCHS,
    ColumnMapping,
    TableColumn,
    TableInfo,
    TablePreview,
    TableSet,
    damaged_tables,
    find_architecture,
    import_space,
    import_table,
    list_columns,
    list_tables,
    load_accuracy,
    load_values,
    preview_table,
    remove_table,
)
from fewshot_core.dashboard.shared.controls import (
    counted,
    notify,
    numbers,
    offer_download,
    offer_removal,
    plain,
    show_columns,
    show_errors,
    show_table,
    show_tabs,
    stored_uploads,
    table_height,
)
from fewshot_core.dashboard.shared.figures import in_columns
from fewshot_core.dashboard.shared.page import (
    DATA,
    DISTRIBUTIONS,
    ESTIMATES,
    HOME,
    SPLIT,
    link_to,
    open_on,
)
from fewshot_core.dashboard.shared.requests import seen_images
from fewshot_core.dashboard.shared.sidebar import View, how_to_import, open_page
from fewshot_core.dashboard.shared.splits import FILE
from fewshot_core.data_folder import typed_path
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
from fewshot_core.networks import has_supernet
from fewshot_core.space import (
    NAS_BENCH_201,
    RULES,
    SearchSpace,
    get_space,
    is_partition,
    list_spaces,
    partition_by_rule,
    partition_csv,
    read_space,
)
from fewshot_core.splitting.files import (
    imported_names,
    of_datasets,
    open_imported,
    parse_splits,
    remove_imported,
    store_splits,
    survey_splits,
)
from fewshot_core.splitting.tree import NamedSplit

_UNUSED = "not used"
_BEST = 5
"""How many of the best architectures of a table are shown."""


def show_data_page() -> None:
    """Draw the page."""
    view = open_page("Data")
    data_dir = view.workspace.data_dir
    shows = {
        "Tables": partial(_show_tables, view),
        "Images": partial(_show_images, data_dir),
        "Splits": partial(_show_splits, view),
        "Search spaces": partial(_show_spaces, view),
    }
    show_tabs(shows, "data")


def _choose_row(rows: Sequence[Mapping[str, object]], alt: str, key: str) -> int | None:
    """Draw a table and return the number of the chosen row, if any."""
    settings: Any = {"key": f"{key}_{len(rows)}", "height": table_height(len(rows))}
    answer = show_table(pd.DataFrame(rows), alt, selection_mode="single-row", **settings)
    return next(iter(answer.selection.rows), None)


@show_errors()
def _show_tables(view: View) -> None:
    data_dir = view.workspace.data_dir
    tables, damaged = list_tables(data_dir, None), damaged_tables(data_dir)
    several = len({info.space for info in tables}) > 1
    parts: list[tuple[TableInfo, TableSet | TableColumn]]
    parts = [(info, item) for info in tables for item in info.sets]
    for info in tables:
        tasks = [task.name for task in get_space(info.space, data_dir).datasets]
        of_none = [column for column in info.columns if column.dataset not in tasks]
        of_tasks = [one for name in tasks for one in info.columns if one.dataset == name]
        parts += [(info, column) for column in (*of_none, *of_tasks)]
    rows = []
    for info, part in parts:
        space = get_space(info.space, data_dir)
        named = {"search space": space.label} if several else {}
        row = {"table": info.label, **named, **_row(part, space)}
        rows.append({**row, "source": info.source, "name": info.name})
    chosen = _choose_row(rows, f"{len(tables)} accuracy tables", "tables")
    for name, problem in damaged:
        st.warning(plain(f"{name}: {problem}"), icon=":material/warning:")
    if chosen is None:
        st.caption("Choose a row for its best architectures and its origin.")
    else:
        _show_part(*parts[chosen], data_dir)
    if not any(info.space == view.space.name for info in tables):
        text = f"**{plain(view.space.label)} has no table yet.** {how_to_import(view.space)}"
        st.info(text, icon=":material/table_chart:")
    removable = [info.name for info in tables if info.name != PACKAGED_TABLE]
    removable += [name for name, _ in damaged]
    if not removable:
        st.caption("There is no table of your own yet. Import one, or use the built-in one.")
    else:
        offer_removal("a table", "table", removable, lambda name: remove_table(name, data_dir))
    place = st.expander("Import a table", icon=":material/upload_file:", expanded=not removable)
    with place, show_errors():
        _show_import(view)


def _show_part(info: TableInfo, item: TableSet | TableColumn, data_dir: Path) -> None:
    """Show where a column comes from, and of accuracies the architectures with the highest."""
    stored = f"stored on {info.created[:10]}, SHA-256 of the source {info.fingerprint[:12]}"
    origin = f"{plain(info.source)}, {stored}"
    if isinstance(item, TableColumn):
        st.markdown(f"**{plain(item.name)}**, {ROLES[item.role]}; {origin}")
        if item.role == "estimate":
            query = {"space": info.space, "estimates": f"{info.name}:{item.name}"}
            link_to(ESTIMATES, "Show how it ranks", query)
        return
    st.markdown(f"**{plain(info.label)}**, from {origin}")
    space = get_space(info.space, data_dir)
    found = load_accuracy(item.dataset, item.kind, info.name, data_dir, space)
    best = found.nlargest(_BEST, "accuracy_mean")
    names = space.format_many(best["architecture"])
    task = space.dataset(item.dataset)
    form = "%.4f" if task.percent else task.form
    show_columns(
        {
            "architecture": (names, TextColumn(width="large")),
            task.score: (
                best["accuracy_mean"],
                numbers(form, label=f"{item.kind}, {task.stored_unit}"),
            ),
            "deviation": best["accuracy_std"],
            "seeds": best["seeds"],
        },
        f"The {len(best)} best architectures on {task.label}",
    )
    query = {
        "space": space.name,
        "dataset": item.dataset,
        "accuracy": item.kind,
        "table": info.name,
    }
    link_to(DISTRIBUTIONS, "Show its distributions", query)


def _row(part: TableSet | TableColumn, space: SearchSpace) -> dict[str, object]:
    if isinstance(part, TableSet):
        name, seeds, epochs = part.kind, part.seeds, part.epochs
    else:
        name, seeds, epochs = f"{part.role} {part.name}", "", None
        name += f", {part.unit}" if part.unit else ""
    return {
        "data set": space.dataset(part.dataset).label if part.dataset else "all",
        "column": name,
        "architectures": f"{part.architectures:,}" + ("" if part.complete else ", incomplete"),
        "seeds": seeds,
        "epochs": epochs,
    }


def _show_import(view: View) -> None:
    data_dir = view.workspace.data_dir
    st.markdown(
        "A CSV file with one row for each architecture, a NATS-Bench topology folder "
        "(`NATS-tss-...-simple`), a NAS-Bench-201 file (`.pth`), or the JSON file of "
        "NAS-Bench-Macro or TransNAS-Bench-101. Every row is checked before anything is stored."
    )
    spaces = {name: get_space(name, data_dir) for name in list_spaces(data_dir)}
    choice, left, right = st.columns([2, 3, 3], vertical_alignment="bottom")
    first = list(spaces).index(view.space.name)
    name = choice.selectbox(
        "Search space of the table",
        list(spaces),
        index=first,
        # Another one in view comes with a list of its own.
        key=f"table_space_{view.space.name}",
        format_func=lambda name: spaces[name].label,
        help="Published tables of other spaces are recognised.",
    )
    types = ["csv", "gz", "pth", "json"]
    uploaded = left.file_uploader(
        "File", type=types, key="table_upload", help="For a folder, give its path."
    )
    typed = right.text_input(
        "or a path on this machine", key="table_path", placeholder="/path/to/file-or-folder"
    )
    if uploaded is not None:
        [path] = stored_uploads([uploaded])
    elif typed.strip():
        path = typed_path(typed.strip())
    else:
        return
    space = None if name == NAS_BENCH_201.name else spaces[name]
    preview, mapping = preview_table(path, space=space), None
    epochs = None
    if IMPORTERS.get(preview.importer).takes_epochs:
        text = "Accuracies after these of the 200 epochs become estimates: all, or some of them."
        usual = ", ".join(map(str, USUAL_EPOCHS))
        epochs = st.text_input("Epochs", value=usual, key="table_epochs", help=text)
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
                settings: Any = {"replace": replace, "data_dir": data_dir, "space": space}
                settings["epochs"] = epochs
                info = import_table(path, name, None, mapping, **settings)
            notify(f"Imported the table {plain(info.name)}")
            st.rerun()


def _choose_mapping(preview: TablePreview) -> ColumnMapping | None:
    """Choose what the columns of a CSV file contain, beginning with what was recognised.

    In spaces other than NAS-Bench-201 the names of the columns say so.
    """
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
    others = proposed.others if proposed else ()
    meant |= {other.name: f"{other.dataset} {other.role}".strip() for other in others}
    kinds = [*KINDS, "estimate"]
    choices = [_UNUSED, *(f"{dataset} {kind}" for dataset in DATASETS.names() for kind in kinds)]
    choices += list(ROLES)
    chosen: list[tuple[str, str, str]] = []
    roles: list[TableColumn] = []
    rest = [column for column in columns if column != architecture]
    for place, column in in_columns(rest, 4):
        content = _choose_from(
            choices, meant.get(column, _UNUSED), plain(column), f"map_column_{column}", place
        )
        dataset, _, kind = content.rpartition(" ")
        if kind in ROLES:
            roles.append(TableColumn(column, kind, dataset))
        elif content != _UNUSED:
            chosen.append((column, dataset, kind))
    if not chosen and not roles:
        st.info("Choose what at least one column holds: accuracies, costs or estimates.")
        return None
    return ColumnMapping(architecture, tuple(chosen), form, scale, others=tuple(roles))


@show_errors()
def _show_splits(view: View) -> None:
    data_dir = view.workspace.data_dir
    splits: dict[str, NamedSplit] = {}
    for name in imported_names(data_dir):
        with show_errors():
            splits[name] = open_imported(name, data_dir)
    rows = [
        {
            "split": split.name,
            "data set": split.space.dataset(str(split.dataset)).label,
            "search space": split.space.label,
            "what": "partition" if is_partition(split.leaves) else "sub-spaces",
            "groups": len(split.leaves),
            "source": split.source,
            "name": name,
        }
        for name, split in splits.items()
    ]
    if rows:
        chosen = _choose_row(rows, f"{len(rows)} imported splits", "imported")
        if chosen is None:
            st.caption("Choose a row to show or to export a split.")
        else:
            name, split = list(splits.items())[chosen]
            query = {"space": split.space.name, "dataset": str(split.dataset)}
            with st.container(horizontal=True):
                link_to(SPLIT, "Show it", query | {"split": f"{FILE}{name}"})
                text = "Labels of architectures (CSV)"
                offer_download(text, lambda: partition_csv(split.leaves), f"{name}.csv", "labels")
        offer_removal(
            "a split", "split", list(splits), lambda name: remove_imported(name, data_dir)
        )
    place = st.expander("Import splits", icon=":material/upload_file:", expanded=not rows)
    with place, show_errors("Nothing was imported. "):
        _show_split_import(view)


def _show_split_import(view: View) -> None:
    """Read splits from files, a folder or by a rule, show what was understood, and store them."""
    st.markdown(
        'A JSON file of masks, `{"splits": {metric: {data set: [sub-space, ...]}}}`, or of a '
        "splitting tree; the search configurations (YAML) of one split, or its lists of "
        "architectures (TXT), all files at once; a CSV file with the columns `arch` and `label`. "
        "A folder may have many of them. All architectures of the search space must be there once."
    )
    left, middle, right = st.columns(3)
    types = ["json", "yaml", "yml", "csv", "gz", "txt"]
    limit = limits.SPLIT_BYTES // limits.MEGABYTE
    settings: Any = {"accept_multiple_files": True, "max_upload_size": limit}
    files = left.file_uploader("Files", types, key="split_files", **settings)
    typed = middle.text_input("or a path on this machine", key="split_path").strip()
    rule = right.selectbox(
        "or a partition by a rule",
        ["", *RULES.names()],
        key="split_rule",
        format_func=lambda name: RULES.label(name) if name else "none",
    )
    left_out: dict[str, str] = {}
    space, source = (None if view.space == NAS_BENCH_201 else view.space), typed
    if len(files) > 1:
        texts = {file.name: file.getvalue().decode("utf-8") for file in files}
        source = files[0].name
        splits = parse_splits(texts, source, space, view.workspace.data_dir)
    elif files or typed:
        path = stored_uploads(files)[0] if files else typed_path(typed)
        source = path.name
        splits, left_out = survey_splits(path, space, view.workspace.data_dir)
    elif rule:
        splits = _by_rule(view, rule)
    else:
        return
    named = ", ".join(f"{split.name} ({len(split.leaves)} groups)" for split in splits)
    st.markdown(f"**Preview**: {counted(len(splits), 'split')}: {plain(named)}")
    if left_out:
        found = {"left out": list(left_out), "why": list(left_out.values())}
        show_columns(found, f"{len(left_out)} folders that are left out")
    if splits and st.button("Import", key="import_splits", type="primary"):
        names = store_splits(of_datasets(splits), source, view.workspace.data_dir)
        notify(f"Imported {counted(len(names), 'split')}: {plain(', '.join(names))}")
        st.rerun()


def _by_rule(view: View, rule: str) -> list[NamedSplit]:
    """Partition the space in view by a rule, of a cost that is chosen where it needs one."""
    data_dir, costs, source = view.workspace.data_dir, None, f"rule {rule}"
    if RULES.get(rule).needs_costs:
        columns = list_columns("cost", view.dataset, data_dir, view.space)
        keys = [f"{info.name}:{column.name}" for info, column in columns if column.complete]
        if not keys:
            st.info("No table has a cost of every architecture: import one under *Tables*.")
            return []
        chosen = st.selectbox("Cost", keys, key="split_cost")
        costs = load_values(*chosen.rpartition(":")[::2], data_dir, view.space, view.dataset)
        source = f"{source} of {chosen}"
    groups = partition_by_rule(rule, view.space, costs)
    return [NamedSplit(rule, None, groups, source=source)]


def _choose_from(
    options: Iterable[str], first: str, label: str, key: str, place: DeltaGenerator
) -> str:
    names = list(options)
    return str(place.selectbox(label, names, index=names.index(first), key=key))


def _show_preview(preview: TablePreview) -> None:
    if preview.content is None:
        return
    space = preview.content.space
    st.markdown(f"**Preview**: a table of {plain(space.label)}")
    rows = [_row(item, space) for item in preview.sets]
    rows += [_row(column, space) for column in preview.content.others]
    show_table(pd.DataFrame(rows), "Data sets and kinds of accuracy in the file")
    best = {"accuracy_mean": numbers("%.4f", label="best")}
    show_table(preview.best, "The best architecture of each", best)


@show_errors()
def _show_images(data_dir: Path) -> None:
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
    chosen = _choose_row(rows, f"{len(rows)} sources of images", "sources")
    if chosen is None:
        st.caption("Choose a row to use these images in new splits and searches.")
    else:
        _show_source(sources[chosen], data_dir)
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
            source = register_source(dataset, typed_path(typed), data_dir=data_dir)
            _select(source, data_dir)
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
        bar.close()


def _show_source(source: ImageSource, data_dir: Path) -> None:
    label = DATASETS.label(source.dataset)
    st.markdown(f"**{plain(source.name)}**: {plain(source.problem or source.label)}")
    if source.problem is None:
        if not source.synthetic:
            files = "\n".join(map(str, source.training_files()))
            st.code(files, language=None, height=100)
        if st.button(f"Use for {label}", key="use_images", icon=":material/check:"):
            _select(source, data_dir, "Selected")


def _select(source: ImageSource, data_dir: Path, verb: str = "Added") -> None:
    """Choose images in the forms, as if they were new, say so, and draw the page again."""
    others = [each.name for each in list_sources(source.dataset, data_dir)]
    others.remove(source.name)
    st.session_state[seen_images(source.dataset)] = others
    label = DATASETS.label(source.dataset)
    notify(f"{verb} images of {label}: {plain(source.name)}. New splits and searches use them.")
    st.rerun()


@show_errors()
def _show_spaces(view: View) -> None:
    data_dir = view.workspace.data_dir
    tables = Counter(info.space for info in list_tables(data_dir, None))
    spaces = []
    for name in list_spaces(data_dir):
        with show_errors():
            spaces.append(get_space(name, data_dir))
    rows = [
        {
            "search space": space.label,
            "decisions": len(space.decisions),
            "operations": ", ".join(map(str, dict.fromkeys(space.shape))),
            "architectures": f"{space.size:,}",
            "tables": tables[space.name],
            "supernet": "yes" if has_supernet(space) else "no",
            "data sets": ", ".join(task.label for task in space.datasets),
            "description": space.description,
        }
        for space in spaces
    ]
    chosen = _choose_row(rows, f"{len(rows)} search spaces", "spaces")
    if chosen is None:
        st.caption("Choose a row for the operations of each decision, and to work in the space.")
    else:
        _show_space(spaces[chosen], bool(tables[spaces[chosen].name]))
    declare = st.expander("Declare a search space of your own", icon=":material/upload_file:")
    with declare, show_errors("Nothing was imported. "):
        _show_declaring(data_dir)


def _show_space(space: SearchSpace, has_table: bool) -> None:
    _show_decisions(space)
    if not has_table:
        st.markdown(how_to_import(space))
    with st.container(horizontal=True):
        link_to(HOME, f"Work in {plain(space.label)}", {"space": space.name})
        if not has_table:
            link_to(DATA, "Import a table", {"space": space.name, "data": "Tables"})


def _show_decisions(space: SearchSpace) -> None:
    columns = {
        space.noun: [decision.name for decision in space.decisions],
        "operations": [", ".join(decision.operations) for decision in space.decisions],
    }
    alt = f"The {len(space.decisions)} decisions of {space.label}"
    show_columns(columns, alt, height=table_height(len(space.decisions)))


def _show_declaring(data_dir: Path) -> None:
    """Read the declaration of a space and a table of it, show what was understood, and store it."""
    st.markdown(
        "A TOML file with its decisions and data sets, and CSV files with a row for each "
        "architecture, as *Search spaces* under *About* explains. All is checked before anything "
        "is stored."
    )
    left, right = st.columns(2)
    declared = left.file_uploader("Declaration (TOML)", type=["toml"], key="space_upload")
    scores = right.file_uploader(
        "Tables (CSV)", type=["csv", "gz"], key="space_tables", accept_multiple_files=True
    )
    if declared is None:
        return
    path, *tables = stored_uploads([declared, *scores])
    space = read_space(path)
    st.markdown(
        f"**Preview**: {plain(space.label)}, {len(space.decisions)} decisions, {space.size:,} "
        f"architectures; data sets {plain(', '.join(task.label for task in space.datasets))}"
    )
    _show_decisions(space)
    for table in tables:
        preview = preview_table(table, space=space)
        _show_preview(preview)
        if preview.problem is not None:
            st.error(plain(preview.problem), icon=":material/error:")
            return
    replace = st.checkbox("Replace a space of this name", key="space_replace")
    if st.button("Import", type="primary", key="import_space", icon=":material/check:"):
        with st.spinner("Checking and storing every row"):
            found, infos = import_space(path, tables, data_dir, replace)
        names = f" with {', '.join(info.name for info in infos)}" if infos else ""
        notify(plain(f"Imported the search space {found.label}{names}"))
        open_on(DATA, {"space": found.name, "data": "Search spaces"})


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
