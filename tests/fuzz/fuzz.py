"""Reads damaged files, many in one process: ``python tests/fuzz/fuzz.py CASES [SEED [FORMAT]]``.

Every case must end in an error of the project or in content that is valid, within a time and an
amount of memory, and change nothing but the data folder, of which nothing that was stored may be
lost. The first line of standard output that is no JSON ends the test. ``CASE`` and its number are
printed before each, so that the last one is known if the process dies.
"""

import bz2
import gzip
import io
import json
import pickle
import random
import re
import resource
import shutil
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from damage import (
    HOSTILE,
    NOT_JSON,
    change_bytes,
    change_tree,
    hostile_pickles,
    replace_by_special,
)
from PIL import Image

from fewshot_core.bench import import_space, import_table, list_tables, load_accuracy
from fewshot_core.bench.catalog import damaged_tables
from fewshot_core.errors import FewshotError
from fewshot_core.images import list_sources, load_batch, register_source
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.runs.cluster.config import read_grid
from fewshot_core.runs.folder import list_folders
from fewshot_core.runs.overview import configuration, find_damage, outcome, read_notes
from fewshot_core.selection.imported import describe_curves, open_curves, store_curves
from fewshot_core.space import SubSpace, get_space
from fewshot_core.space.partitions import read_partition
from fewshot_core.splitting import SplitTree
from fewshot_core.splitting.files import read_imported, read_splits, store_splits
from fewshot_core.splitting.search_configs import search_configs
from fewshot_core.splitting.tree import NamedSplit
from fewshot_core.store import Store, known_splits, verify

SECONDS, BYTES = 10.0, 1_000_000_000
ROOT = Path(__file__).resolve().parents[2]

SPACE = """
name = "tiny"
[[decisions]]
name = "stem"
operations = ["a", "b"]
[[decisions]]
name = "head"
operations = ["a", "b", "c"]
[[datasets]]
name = "toy"
"""
GRID = """
[splits]
metrics = ["params"]
datasets = ["cifar10"]
repeats = 2
[splits.network]
channels = 4
[searches]
algorithms = ["snas"]
seeds = [1, 2]
[cluster]
"""
HALVES = tuple(SubSpace.full().keep(0, part) for part in ((0, 1), (2, 3, 4)))


class Case:
    """One damaged file: its folder, the data folder, the generator, the mark that code makes."""

    def __init__(self, folder: Path, data: Path, chance: random.Random) -> None:
        self.folder, self.data, self.chance = folder, data, chance
        self.mark = folder / "mark"
        self.file = folder / "file"

    def write(self, name: str, content: bytes) -> Path:
        """Write a file of a name, sometimes with its bytes damaged too, or as no file at all."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def spoil(self, path: Path) -> None:
        """Damage a file without regard to its structure."""
        if self.chance.random() < 0.15:
            replace_by_special(path, self.chance)
        else:
            path.write_bytes(change_bytes(path.read_bytes(), self.chance))

    def structured(self, share: float = 0.7) -> bool:
        """Whether to damage the structure; else the bytes of a good file."""
        return self.chance.random() < share


def _images(count: int) -> dict[bytes, Any]:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3072), dtype=np.uint8)
    return {b"data": pixels, b"labels": [number % 10 for number in range(count)]}


def _bad_images(case: Case) -> bytes:
    good, chance = _images(20), case.chance
    data, labels = good[b"data"], good[b"labels"]
    if chance.random() < 0.5:
        return hostile_pickles(good, case.mark, chance)
    changes: list[tuple[bytes, Any]] = [
        (b"data", data.T),
        (b"data", data.astype(np.int64)),
        (b"data", data.astype(np.float32)),
        (b"data", data[:, :100]),
        (b"data", data.reshape(20, 32, 32, 3)),
        (b"data", data.tolist()),
        (b"data", data[:19]),
        (b"labels", [labels]),
        (b"labels", [11] * 20),
        (b"labels", [-1] * 20),
        (b"labels", [2**70] * 20),
        (b"labels", [0.5] * 20),
        (b"labels", ["a"] * 20),
        (b"labels", np.zeros((20, 2), int)),
        (b"labels", dict.fromkeys(range(20))),
    ]
    key, value = chance.choice(changes)
    return pickle.dumps(good | {key: value}, 2)


_BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def read_cifar(case: Case) -> None:
    place, bad = case.folder / "cifar-10-batches-py", case.chance.choice(_BATCHES)
    structured = case.structured()
    for name in _BATCHES:
        content = pickle.dumps(_images(20), 2)
        path = case.write(f"{place.name}/{name}", content)
        if name == bad and structured:
            path.write_bytes(_bad_images(case))
        elif name == bad:
            case.spoil(path)
    _register(case, place)


def read_archive(case: Case) -> None:
    path, chance = case.folder / "cifar-10-python.tar.gz", case.chance
    bad = chance.choice(_BATCHES)
    with tarfile.open(path, "w:gz") as archive:
        for name in _BATCHES:
            content = _bad_images(case) if name == bad else pickle.dumps(_images(20), 2)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            if name == bad and chance.random() < 0.3:
                member.type = chance.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
                member.linkname, content = "/etc/passwd", b""
            if name == bad and chance.random() < 0.1:
                content = bytes(300_000_000)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    if not case.structured():
        case.spoil(path)
    _register(case, path)


def read_parquet_images(case: Case) -> None:
    chance, path = case.chance, case.folder / "train-0.parquet"
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "PNG")
    good = buffer.getvalue()
    Image.new("RGB", (3000, 3000)).save(buffer, "PNG")
    images: list[Any] = [{"bytes": good, "path": None}] * 20
    labels: Any = [number % 10 for number in range(20)]
    for name in ("test-0.parquet", path.name):
        columns, names = [pa.array(images), pa.array(labels)], ["img", "label"]
        if name == path.name and case.structured():
            way = chance.randrange(8)
            if way == 0:
                images[chance.randrange(20)] = {"bytes": change_bytes(good, chance), "path": None}
            if way == 1:
                images[3] = {"bytes": buffer.getvalue(), "path": None}
            if way == 2:
                images[3] = chance.choice([None, {"bytes": None, "path": "x"}])
            if way == 3:
                labels[0] = chance.choice([None, 10, -1, 2**40])
            if way == 4:
                labels = chance.choice([["a"] * 20, [0.5] * 20, [[1]] * 20])
            columns = [pa.array(images), pa.array(labels)]
            if way == 5:
                columns, names = [*columns, columns[1]], [*names, "label"]
            if way == 6:
                columns[0] = chance.choice([pa.array([b"x"] * 20), pa.array([{"bytes": 1}] * 20)])
            if way == 7:
                names = chance.choice([["img", "x"], ["x" * 10_000, "label"]])
        pq.write_table(pa.Table.from_arrays(columns, names), case.folder / name)
    if not case.structured():
        case.spoil(path)
    _register(case, case.folder)


def _register(case: Case, place: Path) -> None:
    try:
        source = register_source("cifar10", place, "bad", case.data)
        batch = load_batch("cifar10", 8, source=source.path, data_dir=case.data)
        assert batch.images.shape == (8, 3, 32, 32) and torch.isfinite(batch.images).all()
        assert set(batch.labels.tolist()) <= set(range(10))
    finally:
        register = case.data / "images" / "registered.json"
        register.unlink(missing_ok=True)


def _trial(training: str, seed: int) -> dict[str, Any]:
    keys = [f"{name}@199" for name in ("x-valid", "x-test", "ori-test")]
    accuracies = dict.fromkeys(keys, 90.0)
    times = dict.fromkeys(range(200), 2.5)
    costs = {"params": 0.07, "flop": 7.8, "latency": [np.float64(0.01)], "train_times": times}
    return {"name": training, "seed": seed, "epochs": 200, "eval_acc1es": accuracies, **costs}


def _record(string: str) -> dict[str, Any]:
    sets = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
    results = {(name, 777): _trial(name, 777) for name in sets}
    seeds = {name: [777] for name in sets}
    return {"arch_index": 0, "arch_str": string, "all_results": results, "dataset_seed": seeds}


STRINGS = [get_space().format(index) for index in (7, 15624)]


def read_nats(case: Case) -> None:
    folder = case.folder / "nats"
    for number, string in enumerate(STRINGS):
        good: Any = {"200": _record(string)}
        content = pickle.dumps(good)
        if number and case.structured():
            changed = change_tree(good, case.chance, (*HOSTILE, *NOT_JSON))
            hostile = hostile_pickles(good, case.mark, case.chance)
            with suppress(RecursionError):
                content = hostile if case.chance.random() < 0.5 else pickle.dumps(changed)
        path = case.write(f"nats/{number:06d}.pickle.pbz2", bz2.compress(content))
        if number and not case.structured():
            case.spoil(path)
    _import(case, folder)


def read_nas_bench_201(case: Case) -> None:
    records = {number: {"full": _record(string)} for number, string in enumerate(STRINGS)}
    good: Any = {"meta_archs": STRINGS, "arch2infos": records}
    if case.structured():
        good = change_tree(good, case.chance, (*HOSTILE, *NOT_JSON))
    try:
        path = _save(case, good, "file.pth")
    except (RecursionError, UnicodeEncodeError):  # PyTorch does not write everything
        return
    _import(case, path)


def _save(case: Case, content: Any, name: str) -> Path:
    path, chance = case.folder / name, case.chance
    zipped = chance.random() < 0.7
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    if zipped and chance.random() < 0.4:
        with zipfile.ZipFile(path) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        bad = chance.choice(list(members))
        members[bad] = change_bytes(members[bad], chance)
        if chance.random() < 0.3:
            pickled = next(member for member in members if member.endswith("data.pkl"))
            members[pickled] = hostile_pickles({}, case.mark, chance)
        if chance.random() < 0.1:
            members[bad] = bytes(50_000_000)
        with zipfile.ZipFile(path, "w", chance.choice((0, zipfile.ZIP_DEFLATED))) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
    elif chance.random() < 0.5:
        case.spoil(path)
    return path


def read_checkpoint(case: Case) -> None:
    supernet = Supernet(SubSpace.full(), channels=2, cells_per_stage=1)
    state: dict[Any, Any] = dict(supernet.state_dict())
    name, chance = case.chance.choice(list(state)), case.chance
    tensor = state[name].float()
    if case.structured(0.5):
        state[name] = chance.choice(
            [
                lambda: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
                lambda: torch.nested.nested_tensor([tensor.flatten(), tensor.flatten()]),
                lambda: tensor.to_sparse(),
                lambda: tensor.to(torch.complex64),
                lambda: tensor.to("meta"),
                lambda: tensor.flatten()[:1].expand(10**9),
                lambda: tensor * float("nan"),
                lambda: tensor.bfloat16(),
                lambda: chance.choice(HOSTILE),
            ]
        )()
    content = {"supernet": state, "rest": {"records": chance.choice(HOSTILE)}}
    try:
        path = _save(case, content, "file.pt")
    except (RuntimeError, UnicodeEncodeError):  # PyTorch does not write everything
        return
    load_checkpoint(supernet, path)
    assert all(torch.is_tensor(value) for value in supernet.state_dict().values())


def _change_csv(text: str, chance: random.Random) -> bytes:
    rows = [line.split(",") for line in text.strip().split("\n")]
    row, way = chance.choice(rows), chance.randrange(10)
    column = chance.randrange(len(row))
    if way < 4:
        cells = ("", "nan", "inf", "-1", "1e999", "9" * 5000, "x" * 200_000, '"', "a\nb", "\0", "é")
        row[column] = chance.choice(cells)
    if way == 4:
        rows = [cells * chance.choice((2, 700, 3000)) for cells in rows]
    if way == 5:
        rows += rows * chance.choice((1, 200))
    if way == 6:
        rows.remove(row)
    if way == 7:
        row.pop(column)
    if way == 8:
        return text.encode() + b"\n" * 3_000_000 + b"1\n" * chance.choice((10, 2_000_000))
    if way == 9:
        return b"a" * 5_000_000 + b"\n" + b'"' * 5_000_000
    return "\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass")


def _csv(case: Case, text: str) -> Path:
    content = _change_csv(text, case.chance) if case.structured() else text.encode()
    packed = case.chance.random() < 0.2
    path = case.write("file.csv.gz" if packed else "file.csv", content)
    if packed:
        path.write_bytes(gzip.compress(content))
    if not case.structured(0.8):
        case.spoil(path)
    return path


ARCHITECTURES = [f"{stem}{head}" for stem in range(2) for head in range(3)]
TABLE = "arch,toy_test,params\n" + "".join(f"{a},{90 + n},5\n" for n, a in enumerate(ARCHITECTURES))
LABELS = "arch,label\n" + "".join(f"{a},{a[0]}\n" for a in ARCHITECTURES)
CURVES = "sub_space,epoch,valid_accuracy,test_accuracy\n" + "".join(
    f"S{space},{epoch},{10 + epoch},{11 + epoch}\n" for space in (1, 2) for epoch in (1, 2, 3)
)


def read_table(case: Case) -> None:
    _import(case, _csv(case, TABLE), get_space("tiny", case.data))


def _import(case: Case, path: Path, space: Any = None) -> None:
    table = import_table(path, "bad", data_dir=case.data, space=space, replace=True)
    try:
        for item in table.sets:
            frame = load_accuracy(item.dataset, item.kind, "bad", case.data, table.space)
            assert frame["accuracy_mean"].between(0, 100).all()
    finally:
        shutil.rmtree(case.data / "tables" / "bad")


def read_labels(case: Case) -> None:
    space = get_space("tiny", case.data)
    parts = read_partition(_csv(case, LABELS), space)
    assert sum(part.size for part in parts) == space.size


def read_curves(case: Case) -> None:
    stored = store_curves(_csv(case, CURVES), case.data)
    try:
        for table in open_curves(stored.name, case.data).values():
            known = table.values["valid_accuracy"][~np.isnan(table.values["valid_accuracy"])]
            assert (known >= 0).all() and (known <= 100).all()
    finally:
        shutil.rmtree(case.data / "curves" / stored.name)


def read_macro_table(case: Case) -> None:
    space = get_space("nas-bench-macro")
    entry = {"test_acc": [90.0, 91.0, 92.0], "params": 5.0, "flops": 6.0}
    good = {space.digits(index): entry for index in range(0, space.size, 50)}
    path = case.write("file.json", _json(case, good))
    _import(case, path)


def _json(case: Case, good: Any) -> bytes:
    if not case.structured():
        return change_bytes(json.dumps(good).encode(), case.chance)
    changed = change_tree(good, case.chance, (*HOSTILE, *NOT_JSON[:2]))
    try:
        return json.dumps(changed).encode("utf-8", "surrogatepass")
    except RecursionError:
        return b"[" * 5000 + b"]" * 5000


MASKS = {"splits": {"x": {"cifar10": [leaf.rows for leaf in HALVES]}}}


def read_masks(case: Case) -> None:
    good: Any = MASKS
    if case.chance.random() < 0.5:
        good = json.loads((_demo("split") / "tree.json").read_text())
    path = case.write("file.json", _json(case, good))
    if case.chance.random() < 0.1:
        replace_by_special(path, case.chance)
    _store(case, path)


def _store(case: Case, path: Path) -> None:
    names = store_splits(read_splits(path), path.name, case.data)
    for name in names:
        stored = case.data / "splits" / f"{name}.json"
        read_imported(stored)
        stored.unlink()


def read_configs(case: Case) -> None:
    chance = case.chance
    for number, text in enumerate(search_configs(NamedSplit("x", "cifar10", HALVES)).values()):
        content = text.encode()
        if number and case.structured():
            changed = change_tree(yaml.safe_load(text), chance)
            with suppress(RecursionError):
                content = yaml.dump(changed).encode("utf-8", "surrogatepass")
            bombs = [
                "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(3)),
                "a0: &a0 {k: v}\n"
                + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 25)),
                "a: &a [*a]",
                "".join(f"key{n}: value\n" for n in range(300_000)),
                "[" * 5000,
                "? " * 3000,
                "!!python/object/apply:os.mkdir [x]",
            ]
            content = chance.choice(bombs).encode() if chance.random() < 0.3 else content
        path = case.write(f"configs/{number}.yml", content)
        if number and not case.structured():
            case.spoil(path)
    _store(case, case.folder / "configs")


def _toml(case: Case, good: str) -> Path:
    chance, content = case.chance, good
    lines = good.strip().split("\n")
    if case.structured():
        at, values = chance.randrange(len(lines)), ("1000000000", "[]", "-1", "'x'", "{}", "1e999")
        key = lines[at].split("=")[0]
        ways = (
            [*lines[:at], f"{key} = {chance.choice((*values, '9' * 5000))}", *lines[at + 1 :]],
            [*lines[:at], *lines[at + 1 :]],
            [*lines, "x = " + "[" * 5000],
            [*lines, ".".join("a" * 400_000) + " = 1"],
            [
                *lines,
                *(f"[[decisions]]\nname = 'd{n}'\noperations = ['a','b']" for n in range(70)),
            ],
            [*lines, *(f"[[datasets]]\nname = 'd{n}'" for n in range(30_000))],
        )
        content = "\n".join(chance.choice(ways))
    path = case.write("file.toml", content.encode())
    if not case.structured():
        case.spoil(path)
    return path


def read_grid_file(case: Case) -> None:
    grid = read_grid(_toml(case, GRID), data_dir=case.data)
    assert len(grid.splits) + len(grid.searches) <= 100_000


def read_space_file(case: Case) -> None:
    path = _toml(case, SPACE.replace("tiny", "other"))
    space, _ = import_space(path, [], case.data)
    get_space(space.name, case.data)
    (case.data / "spaces" / f"{space.name}.toml").unlink()


def _demo(kind: str) -> Path:
    return next(path for path in sorted((ROOT / "data/demo/runs").iterdir()) if kind in path.name)


def read_run(case: Case) -> None:
    """A damaged run never keeps the others from being read."""
    kind, chance = case.chance.choice(("split", "search")), case.chance
    source = _demo(kind)
    name = source.name if chance.random() < 0.9 else "na\udcffme"
    run = shutil.copytree(source, case.data / "runs" / name)
    try:
        path = chance.choice([path for path in sorted(run.iterdir()) if path.name[0] != "."])
        if path.suffix == ".json" and case.structured():
            path.write_bytes(_json(case, json.loads(path.read_text())))
        elif path.suffix == ".jsonl" and case.structured():
            lines = path.read_text().splitlines()
            at = chance.randrange(len(lines))
            lines[at] = _json(case, json.loads(lines[at])).decode("utf-8", "replace")
            path.write_text("\n".join(lines) + "\n")
        else:
            case.spoil(path)
        look_at_runs(case)
    finally:
        shutil.rmtree(run)


def look_at_runs(case: Case) -> None:
    """Read all that the pages read of runs."""
    store = Store(case.data, in_memory=True)
    store.sync()
    splits = store.splits(space=None)
    assert GOOD in splits["run_id"].tolist()
    known_splits(store, case.data, "cifar10")
    store.searches()
    store.search_records(store.searches()["run_id"].tolist())
    store.close()
    for summary in store.runs:
        assert summary.state and isinstance(summary.message, str)
        f"{summary.run_id} {summary.message} {summary.seconds}".encode()
    for folder in list_folders(case.data):
        find_damage(folder)
        for read in (configuration, outcome, lambda folder: folder.log_tail()):
            with suppress(FewshotError):
                read(folder)
    verify(case.data)


def read_cache(case: Case) -> None:
    """A damaged cache gives the same answers as the run folders."""
    cache = case.data / "cache.duckdb"
    store = Store(case.data)
    store.sync()
    expected = store.splits(space=None), store.searches(), store.search_records([GOOD])
    store.close()
    case.spoil(cache)
    try:
        store = Store(case.data)
        store.sync()
        found = store.splits(space=None), store.searches(), store.search_records([GOOD])
        store.close()
        for one, other in zip(expected, found, strict=True):
            assert one.drop(columns="evidence", errors="ignore").equals(
                other.drop(columns="evidence", errors="ignore")
            )
    finally:
        for path in case.data.glob("cache.duckdb*"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


_DOCUMENTS: dict[str, Callable[[Path], object]] = {
    "images/registered.json": lambda data: list_sources(data_dir=data),
    "runs/notes.json": read_notes,
    "curves/good/about.json": lambda data: describe_curves("good", data),
    "tables/good/manifest.json": lambda data: (list_tables(data, None), damaged_tables(data)),
    "tables/good/accuracy.parquet": lambda data: load_accuracy("toy", "test", "good", data, "tiny"),
    "spaces/tiny.toml": lambda data: get_space("tiny", data),
}


def read_stored(case: Case) -> None:
    name = case.chance.choice(list(_DOCUMENTS))
    path = case.data / name
    created = not path.exists()
    if created:
        path.parent.mkdir(exist_ok=True)
        entry = {"dataset": "cifar10", "name": "x", "path": "/nowhere"}
        path.write_text(json.dumps([entry] if "images" in name else {GOOD: {"name": "x"}}))
    kept = path.read_bytes()
    try:
        if path.suffix == ".json" and case.structured():
            path.write_bytes(_json(case, json.loads(kept)))
        else:
            case.spoil(path)
        _DOCUMENTS[name](case.data)
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)
        if not created:
            path.write_bytes(kept)


FORMATS: dict[str, Callable[[Case], None]] = {
    name.removeprefix("read_"): function
    for name, function in list(globals().items())
    if name.startswith("read_") and getattr(function, "__module__", "") == __name__
}
CHEAP = ("table", "labels", "curves", "macro_table", "masks", "configs", "grid_file", "space_file")
ORDER = [*FORMATS, *CHEAP, "stored", "run", *CHEAP, "stored"]
"""Formats in turn, those most often that take the least time."""

GOOD = _demo("split").name + "-good"


def make_data(data: Path) -> None:
    """Store one good thing of each kind."""
    data.mkdir()
    list_tables(data)
    (data / "tiny.toml").write_text(SPACE)
    (data / "good.csv").write_text(TABLE)
    import_space(data / "tiny.toml", [data / "good.csv"], data)
    (data / "good.csv").write_text(CURVES)
    store_curves(data / "good.csv", data, "good")
    store_splits([NamedSplit("good", "cifar10", HALVES)], "good", data)
    shutil.copytree(_demo("split"), data / "runs" / GOOD)
    SplitTree.from_json((data / "runs" / GOOD / "tree.json").read_text())


def content_of(folder: Path) -> dict[str, bytes]:
    """Every stored file; locks, caches and temporary files of a failed case are none."""
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and ".lock" not in path.name:
            found[str(relative)] = path.read_bytes()
    return found


def own_peak() -> int:
    """The peak memory of this process in bytes, where possible without that of its parent.

    What ``getrusage`` returns begins with the memory of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [found] = re.findall(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        return int(found) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run_case(number: int, seed: int, only: str | None, place: Path) -> str | None:
    """Run a case; return what is wrong."""
    chance = random.Random(f"{seed}/{number}")
    name = only or ORDER[number % len(ORDER)]
    print("CASE", number, name, flush=True)
    folder = place / "case"
    folder.mkdir()
    case = Case(folder, place / "data", chance)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
    problem = None
    try:
        FORMATS[name](case)
    except FewshotError as error:
        if len(str(error)) > 3000 or "\n" in str(error):
            problem = f"a message of {len(str(error))} characters: {str(error)[:300]!r}"
    except Exception:
        problem = traceback.format_exc()[-3000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = time.process_time() - started + after.ru_utime - before.ru_utime
    peak = max(own_peak(), after.ru_maxrss * 1024)
    if spent > SECONDS:
        problem = f"{spent:.1f} s\n{problem}"
    if peak > BYTES:
        problem = f"{peak / 1e6:.0f} MB\n{problem}"
    if case.mark.exists():
        problem = f"code was run\n{problem}"
    shutil.rmtree(folder)
    return problem and f"{name}: {problem}"


def main(cases: int, seed: int = 0, only: str | None = None) -> None:
    """Run cases and report; the status is 1 if any failed."""
    failures = 0
    with tempfile.TemporaryDirectory(prefix="fewshot-fuzz-") as root:
        place = Path(root)
        (place / "bystander").write_text("untouched")
        make_data(place / "data")
        stored = content_of(place)
        for number in range(cases):
            problem = run_case(number, seed, only, place)
            now = content_of(place)
            if now != stored:
                changed = {name for name in stored | now if stored.get(name) != now.get(name)}
                problem = f"{problem or ''}\nchanged: {sorted(changed)}"
                stored = now
            if problem:
                failures += 1
                print(f"FAILED {number} of seed {seed}: {problem}", flush=True)
    print(f"{cases} cases, {failures} failed", flush=True)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), *map(int, sys.argv[2:3]), *sys.argv[3:4])
