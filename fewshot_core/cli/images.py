"""The commands ``fewshot images ...``."""

from pathlib import Path
from typing import Annotated

import typer

from fewshot_core.cli.common import (
    AsJson,
    DataDir,
    DownloadBar,
    err,
    images_table,
    out,
    print_json,
)
from fewshot_core.data_folder import data_dir
from fewshot_core.images import download, list_sources, register_source, unregister_source

images_app = typer.Typer(help="Image data sets: list, register, remove, download.")


@images_app.command("list")
def images_list(folder: DataDir = None, as_json: AsJson = False) -> None:
    """List the known image sources."""
    sources = list_sources(None, data_dir(folder))
    rows = [
        {
            "dataset": source.dataset,
            "name": source.name,
            "label": source.label,
            "path": None if source.synthetic else str(source.path),
            "synthetic": source.synthetic,
            "problem": source.problem,
        }
        for source in sources
    ]
    if as_json:
        print_json({"images": rows})
        return
    out.print(images_table(sources))


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
