"""What keeps files and names from elsewhere from doing harm."""

import bz2
import gzip
import io
import os
import pickle
import tarfile
import tomllib
from pathlib import Path

import pytest
import torch
from whole_splits import load_images

from fewshot_core import limits
from fewshot_core.bench.csv_importer import read_csv
from fewshot_core.bench.published import read_nasbench201_file, read_nats_folder
from fewshot_core.errors import (
    FewshotError,
    ImagesError,
    RunError,
    TableError,
    UnknownNameError,
)
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.runs import run_folder
from fewshot_core.runs.cluster.config import read_grid
from fewshot_core.search.loop import SearchState
from fewshot_core.selection import read_curves
from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import open_imported, read_splits

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = ("../../etc/passwd", "/etc/passwd", "..", ".", "", "a/b", ".hidden", "a\0b", "x' OR 1=1")


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def read_checkpoint(path: Path) -> None:
    load_checkpoint(Supernet(SubSpace.full(), channels=2, cells_per_stage=1), path)


def read_cifar(path: Path) -> None:
    folder = path.parent / "cifar-10-batches-py"
    folder.mkdir(exist_ok=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / name).write_bytes(path.read_bytes())
    load_images("cifar10", source=folder, data_dir=path.parent / "data")


def read_nats(path: Path) -> None:
    path.rename(path.with_name("000011.pickle.pbz2"))
    read_nats_folder(path.parent)


def as_pickle(value: object) -> bytes:
    return pickle.dumps(value)


def as_packed_pickle(value: object) -> bytes:
    return bz2.compress(pickle.dumps(value))


def as_torch(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save({"supernet": value, "meta_archs": value}, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("read", "write"),
    [
        (read_checkpoint, as_torch),
        (SearchState.load, as_torch),
        (read_nasbench201_file, as_torch),
        (read_cifar, as_pickle),
        (read_nats, as_packed_pickle),
    ],
)
def test_no_reader_runs_code_of_a_pickle(tmp_path, read, write):
    made, folder = tmp_path / "made", tmp_path / "files"
    folder.mkdir()
    path = folder / "file.pth"
    path.write_bytes(write(Harmful(made)))
    with pytest.raises(FewshotError):
        read(path)
    assert not made.exists()


def test_the_pickle_of_these_tests_does_harm_where_nothing_keeps_it(tmp_path):
    pickle.loads(as_pickle(Harmful(tmp_path / "made")))
    assert (tmp_path / "made").exists()


def test_pickles_are_read_nowhere_else():
    """A new place that reads pickles has to be added to the tests above."""
    found = set()
    for path in (ROOT / "fewshot_core").rglob("*.py"):
        text = path.read_text()
        if any(words in text for words in ("torch.load(", "pickle.load", "pd.read_pickle")):
            found.add(path.relative_to(ROOT / "fewshot_core").as_posix())
    assert found == {"search/loop.py"}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_do_not_lead_out_of_their_folder(tmp_path, name):
    (tmp_path / "runs").mkdir()
    with pytest.raises(RunError, match="there is no run"):
        run_folder(name, tmp_path)
    with pytest.raises(UnknownNameError):
        open_imported(name, tmp_path)


def archive_with(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member, io.BytesIO(content))
    return path


def test_a_member_that_leads_out_of_an_archive_is_never_written(tmp_path):
    member = tarfile.TarInfo("../../escaped")
    member.size = 4
    path = archive_with(tmp_path / "cifar-10-python.tar.gz", member, b"gone")
    with pytest.raises(ImagesError):
        load_images("cifar10", source=path, data_dir=tmp_path / "data")
    assert not (tmp_path.parent / "escaped").exists()
    assert not (tmp_path.parents[1] / "escaped").exists()


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path = archive_with(tmp_path / "cifar-10-python.tar.gz", member)
    with pytest.raises(ImagesError, match="is not a file"):
        load_images("cifar10", source=path, data_dir=tmp_path / "data")


def test_a_member_that_is_too_large_is_refused_with_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "IMAGES_BYTES", 1_000_000)
    member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    member.size = 2_000_000
    path = archive_with(tmp_path / "cifar-10-python.tar.gz", member, bytes(2_000_000))
    with pytest.raises(ImagesError, match="holds 2 MB, expected at most 1 MB"):
        load_images("cifar10", source=path, data_dir=tmp_path / "data")


def problem(read, path: Path) -> str:
    """Return what a reader finds wrong with a file."""
    with pytest.raises(FewshotError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("limit", "read", "name"),
    [
        ("CURVES_BYTES", read_curves, "curves.csv"),
        ("SPLIT_BYTES", read_splits, "split.json"),
        ("TEXT_BYTES", read_grid, "grid.toml"),
        ("TABLE_BYTES", read_csv, "table.csv"),
        ("NAS_BENCH_201_BYTES", read_nasbench201_file, "table.pth"),
        ("CHECKPOINT_BYTES", read_checkpoint, "weights.pt"),
        ("IMAGES_BYTES", read_cifar, "batch"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_is_read_up_to_its_largest_size(tmp_path, monkeypatch, limit, read, name):
    path = tmp_path / "given" / name
    path.parent.mkdir()
    path.write_bytes(b"\0" * 1_000_000)
    monkeypatch.setattr(limits, limit, 1_000_000)
    assert "MB" not in problem(read, path)  # it is read, and found to be nothing
    path.write_bytes(b"\0" * 1_000_001)
    assert "holds more than 1 MB, which is the most that is read" in problem(read, path)


def test_the_files_of_a_split_are_read_up_to_a_size_together(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "SPLIT_BYTES", 1_000_000)
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_bytes(b" " * 600_000)
    assert "hold more than 1 MB together" in problem(read_splits, tmp_path)


def test_a_table_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TABLE_BYTES", 1_000_000)
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a" * 5_000_000))
    with pytest.raises(TableError, match="holds more than 1 MB"):
        read_csv(path)


def test_results_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "NATS_BYTES", 1_000_000)
    (tmp_path / "000011.pickle.pbz2").write_bytes(bz2.compress(bytes(5_000_000)))
    with pytest.raises(TableError, match="holds more than 1 MB"):
        read_nats_folder(tmp_path)


def test_the_app_is_set_to_be_seen_from_this_machine_only():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    server = settings["server"]
    assert server["address"] == "127.0.0.1"
    assert server["enableCORS"] is True and server["enableXsrfProtection"] is True
    assert settings["browser"]["gatherUsageStats"] is False
