"""The commands ``fewshot import-...``, ``fewshot export-split`` and ``fewshot images ...``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fewshot_core.bench import ColumnMapping, TableInfo, import_space, import_table, preview_table
from fewshot_core.cli.common import (
    AsJson,
    DataDir,
    DownloadBar,
    Rule,
    SpaceName,
    err,
    named_partition,
    named_splits,
    show,
    table_of,
)
from fewshot_core.data_folder import data_dir, write_text
from fewshot_core.errors import FewshotError, TableError
from fewshot_core.images import download, list_sources, register_source, unregister_source
from fewshot_core.space import NAS_BENCH_201, get_space, partition_csv
from fewshot_core.splitting.files import of_datasets, store_splits, survey_splits, write_masks
from fewshot_core.splitting.tree import NamedSplit


def run_import(
    path: Annotated[
        Path, typer.Argument(help="A CSV file, a NATS-Bench folder, a .pth or a .json file.")
    ],
    name: Annotated[str | None, typer.Option(help="The name to load it by.")] = None,
    label: Annotated[str | None, typer.Option(help="Its name in the app.")] = None,
    architecture: Annotated[str | None, typer.Option(help="CSV: the architecture column.")] = None,
    form: Annotated[str, typer.Option(help="CSV: string, digits or index.")] = "string",
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="CSV: COLUMN=DATASET:KIND, COLUMN=cost:UNIT or COLUMN=estimate:DATASET; "
            "repeatable.",
        ),
    ] = None,
    scale: Annotated[str, typer.Option(help="CSV: percent or fraction.")] = "percent",
    space: SpaceName = None,
    epochs: Annotated[
        str | None,
        typer.Option(
            help="NATS-Bench and NAS-Bench-201: the epochs after which accuracies become "
            "estimates, all or like 1,5,10. By default 1,5,10,25,50,100."
        ),
    ] = None,
    replace: Annotated[bool, typer.Option(help="Replace a table of that name.")] = False,
    preview: Annotated[bool, typer.Option(help="Only show how the file would be read.")] = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Import an accuracy table, after checking every row."""
    place = data_dir(folder)
    of_space = None if space is None else get_space(space, place)
    mapping = None
    if architecture is not None or mapped:
        mapping = ColumnMapping.from_options(
            architecture or "", mapped or [], form, scale, of_space or NAS_BENCH_201
        )
    if preview:
        shown = preview_table(path, mapping, space=of_space, epochs=epochs)
        document = {
            "name": shown.name,
            "importer": shown.importer,
            "sets": [vars(item) for item in shown.sets],
            "columns": list(shown.columns),
            "mapping": _mapping(shown.mapping) if shown.mapping else None,
            "problem": shown.problem,
        }
        show(True, document)
        return
    try:
        settings: Any = {"replace": replace, "data_dir": place, "space": of_space}
        info = import_table(path, name, label, mapping, epochs=epochs, **settings)
    except TableError as error:
        proposal = (
            preview_table(path, space=of_space).mapping
            if mapping is None and path.is_file()
            else None
        )
        if proposal is None or str(proposal) not in str(error):
            raise
        raise TableError(f"{error} If it is right, add {proposal.to_options()}") from error
    show(as_json, info.to_dict(), *_imported(info))


def _mapping(mapping: ColumnMapping) -> dict[str, Any]:
    names = ("architecture", "columns", "form", "scale")
    others = [{"column": one.name, "role": one.role} for one in mapping.others]
    return {**{name: getattr(mapping, name) for name in names}, "others": others}


def _imported(info: TableInfo) -> list[str]:
    return (
        [f"imported {info.name} from {info.source}"]
        + [
            f"  {item.dataset} {item.kind}: {item.architectures:,} architectures, "
            f"{'complete' if item.complete else 'incomplete'}"
            for item in info.sets
        ]
        + [
            f"  {column.role} {column.field}: {column.architectures:,} architectures, "
            f"{'complete' if column.complete else 'incomplete'}"
            for column in info.columns
        ]
    )


def run_import_space(
    path: Annotated[Path, typer.Argument(help="A TOML file that declares a search space.")],
    tables: Annotated[
        list[Path] | None, typer.Argument(help="CSV files of scores of its architectures.")
    ] = None,
    replace: Annotated[
        bool, typer.Option(help="Replace a space of that name, and tables of these names.")
    ] = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Declare a search space, and import tables of it."""
    space, infos = import_space(path, tables or [], data_dir(folder), replace)
    document = {
        "name": space.name,
        "size": space.size,
        "decisions": {item.name: list(item.operations) for item in space.decisions},
        "datasets": [task.name for task in space.datasets],
        "tables": [info.to_dict() for info in infos],
    }
    text = f"{space.name}: {len(space.decisions)} decisions, {space.size:,} architectures"
    show(as_json, document, text, *(line for info in infos for line in _imported(info)))


def run_import_split(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="A JSON file of masks or of a tree, a CSV file with columns arch, label, or a "
            "folder of YAML files or lists of architectures, and of such folders."
        ),
    ] = None,
    rule: Rule = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Only this data set; a partition is imported for each by default."),
    ] = None,
    space: SpaceName = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Import splits, or a partition by labels or by a rule, to show them on all pages."""
    place = data_dir(folder)
    of_space = None if space is None else get_space(space, place)
    if (path is None) == (rule is None):
        raise FewshotError("expected either a file or folder, or --rule NAME")
    left_out: dict[str, str] = {}
    if path is not None:
        splits, left_out = survey_splits(path, of_space, place)
    elif partition := named_partition(None, rule, of_space or NAS_BENCH_201, place):
        splits = [NamedSplit(partition[0], None, partition[1], source=f"rule {rule}")]
    wanted = [one for one in of_datasets(splits, dataset) if dataset in (None, one.dataset)]
    names = store_splits(wanted, path.name if path else "", place)
    lines = [*(f"imported {name}" for name in names)]
    lines += [f"left out {name}: {reason}" for name, reason in left_out.items()]
    show(as_json, {"imported": names, "left_out": left_out}, *lines)


def run_export_split(
    split: Annotated[str, typer.Argument(help="The run of a split, or an imported split.")],
    path: Annotated[
        Path,
        typer.Argument(help="The file: .json for masks, .csv for the label of each architecture."),
    ],
    folder: DataDir = None,
) -> None:
    """Write a split, or a partition, to a file that can be imported again."""
    [found] = named_splits(None, split, data_dir(folder))
    if path.suffix == ".csv":
        write_text(path, partition_csv(found.leaves))
    else:
        write_masks(path, [found])
    err.print(f"wrote {path}")


images_app = typer.Typer(help="Image data sets: list, register, remove, download.")


@images_app.command("list")
def images_list(folder: DataDir = None, as_json: AsJson = False) -> None:
    """List the known image sources."""
    rows = [
        {
            "dataset": source.dataset,
            "name": source.name,
            "label": source.label,
            "path": None if source.synthetic else str(source.path),
            "synthetic": source.synthetic,
            "problem": source.problem,
        }
        for source in list_sources(None, data_dir(folder))
    ]
    table = table_of(
        ("data set", "name", "what", "where"),
        (
            (row["dataset"], row["name"], row["problem"] or row["label"], row["path"] or "")
            for row in rows
        ),
    )
    show(as_json, {"images": rows}, table)


@images_app.command("register")
def images_register(
    dataset: Annotated[str, typer.Argument(help="The data set.")],
    path: Annotated[Path, typer.Argument(help="The folder or archive.")],
    name: Annotated[str | None, typer.Option(help="The name to select it by.")] = None,
    folder: DataDir = None,
) -> None:
    """Register a folder or an archive with images."""
    source = register_source(dataset, path, name, data_dir(folder))
    typer.echo(f"registered {source.name} for {dataset}: {source.label}, {source.path}")


@images_app.command("remove")
@images_app.command("forget", hidden=True)  # the name until version 0.1
def images_remove(
    dataset: Annotated[str, typer.Argument(help="The data set.")],
    name: Annotated[str, typer.Argument(help="The name it was registered under.")],
    folder: DataDir = None,
) -> None:
    """Remove a registered source; its files stay."""
    unregister_source(dataset, name, data_dir(folder))
    typer.echo(f"removed {name} of {dataset}; its files stay")


@images_app.command("download")
def images_download(
    dataset: Annotated[str, typer.Argument(help="cifar10 or cifar100.")], folder: DataDir = None
) -> None:
    """Download an official archive and verify its checksum."""
    source = download(dataset, data_dir(folder), DownloadBar(err))
    typer.echo(f"downloaded {dataset}: {source.path}")
