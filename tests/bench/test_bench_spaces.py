"""Tables of other search spaces than NAS-Bench-201."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewshot_core.bench import (
    import_space,
    import_table,
    list_tables,
    load_accuracy,
    load_column,
    load_seeds,
    preview_table,
    resolve_table,
)
from fewshot_core.documents import read_csv_text
from fewshot_core.errors import TableError, UnknownNameError
from fewshot_core.space import get_space, store_space

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "spaces"
MACRO, MICRO = "nas-bench-macro", "trans-nas-bench-101-micro"
TOML = """
name = "mine"

[[decisions]]
name = "a"
operations = ["x", "y"]

[[decisions]]
name = "b"
operations = ["x", "y", "z"]

[[datasets]]
name = "toy"
unit = "nats"
larger_is_better = false

[[datasets]]
name = "other"
kinds = ["test"]
"""


def real(name):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {name} in the folder `shared` beside the project")
    return path


@pytest.fixture(scope="module")
def macro_rows():
    """Three seeds and costs of all architectures of NAS-Bench-Macro, by architecture."""
    space, generator = get_space(MACRO), np.random.default_rng(0)
    scores = generator.uniform(40, 95, (space.size, 3)).round(4)
    digits = [space.digits(index) for index in range(space.size)]
    return {
        text: (list(row), 1000 + i, 10 * i)
        for i, (text, row) in enumerate(zip(digits, scores, strict=True))
    }


@pytest.fixture
def macro_csv(macro_rows, tmp_path):
    path = tmp_path / "macro.csv"
    lines = ["arch,test_acc_0,test_acc_1,test_acc_2,params,flops"]
    lines += [f"{t},{a},{b},{c},{p},{f}" for t, ((a, b, c), p, f) in macro_rows.items()]
    path.write_text("\n".join(lines))
    return path


def test_three_seeds_and_costs_of_a_csv_file(macro_csv, macro_rows, data_folder):
    start = time.perf_counter()
    info = import_table(macro_csv, data_dir=data_folder)
    assert time.perf_counter() - start < 5  # a fifth on a quiet machine
    assert (info.space, info.sets[0].seeds, info.sets[0].complete) == (MACRO, "3", True)
    frame = load_accuracy("cifar10", "test", data_dir=data_folder, space=MACRO)
    scores = np.array([row for row, _, _ in macro_rows.values()])
    assert frame["accuracy_mean"].to_numpy() == pytest.approx(scores.mean(axis=1))
    assert frame["accuracy_std"].to_numpy() == pytest.approx(scores.std(axis=1, ddof=1))
    assert (frame["seeds"] == 3).all()
    seeds = load_seeds("cifar10", "test", "macro", data_folder, space=get_space(MACRO))
    assert seeds["accuracy"].to_numpy() == pytest.approx(scores.ravel())
    for number, name in ((1, "params"), (2, "flops")):
        costs = load_column("macro", name, data_folder, MACRO)
        assert costs[name].tolist() == [row[number] for row in macro_rows.values()]


def test_a_table_belongs_to_its_space(macro_csv, data_folder):
    import_table(macro_csv, data_dir=data_folder)
    assert [info.name for info in list_tables(data_folder)] == ["nasbench201-validation"]
    assert [info.name for info in list_tables(data_folder, MACRO)] == ["macro"]
    assert len(list_tables(data_folder, None)) == 2
    with pytest.raises(
        TableError, match="no table has the test accuracies of all architectures on"
    ):
        load_accuracy("cifar10", "test", data_dir=data_folder)
    with pytest.raises(
        TableError, match="expected a table of nas-bench-201, but 'macro' is one of"
    ):
        load_accuracy("cifar10", "test", "macro", data_folder)
    with pytest.raises(TableError, match="of nas-bench-macro, but 'nasbench201-validation' is one"):
        load_accuracy("cifar10", "test", "nasbench201-validation", data_folder, MACRO)
    with pytest.raises(
        TableError, match="accuracies of all architectures of TransNAS-Bench-101 mi"
    ):
        resolve_table("jigsaw", "validation", None, data_folder, MICRO)
    with pytest.raises(
        UnknownNameError, match="unknown data set 'cifar100': expected one of cifar10"
    ):
        load_accuracy("cifar100", "test", data_dir=data_folder, space=MACRO)
    manifest = data_folder / "tables" / "nasbench201-validation" / "manifest.json"
    assert "space" not in json.loads(manifest.read_text())  # the default adds nothing


def test_a_csv_file_is_used_without_an_import(macro_csv, data_folder):
    frame = load_accuracy("cifar10", "test", macro_csv, data_folder, MACRO)
    assert len(frame) == 6_561
    with pytest.raises(
        TableError, match="expected a table of nas-bench-201, got one of nas-bench-m"
    ):
        load_accuracy("cifar10", "test", macro_csv, data_folder)


def test_the_published_json_of_nas_bench_macro(macro_rows, tmp_path, data_folder):
    path = tmp_path / "nas-bench-macro_cifar10.json"
    document = {
        text: {"test_acc": row, "mean_acc": 0, "std": 0, "params": params, "flops": flops}
        for text, (row, params, flops) in macro_rows.items()
    }
    path.write_text(json.dumps(document))
    info = import_table(path, data_dir=data_folder)
    assert (info.space, info.name) == (MACRO, "nas-bench-macro_cifar10")
    frame = load_accuracy("cifar10", "test", data_dir=data_folder, space=MACRO)
    scores = np.array([row for row, _, _ in macro_rows.values()])
    assert frame["accuracy_mean"].to_numpy() == pytest.approx(scores.mean(axis=1))
    costs = load_column(info.name, "flops", data_folder, MACRO)
    assert costs["flops"].tolist() == [flops for _, _, flops in macro_rows.values()]
    path.write_text(json.dumps(document | {"00000003": document["00000000"]}))
    with pytest.raises(TableError, match="00000003: expected 8 digits"):
        preview_table(path)
    del document["22222222"]
    path.write_text(json.dumps(document))
    with pytest.raises(TableError, match="each of the 6,561 architectures"):
        preview_table(path)


def test_the_published_json_of_transnas(tmp_path, data_folder):
    space = get_space(MICRO)
    scores = {"jigsaw": np.linspace(0, 90, 4096), "room_layout": np.linspace(-1, -0.5, 4096)}
    document = {
        task: {
            str(space.decode(index)): {"val_accuracy": value, "zen": {"score": 1.0}}
            for index, value in enumerate(values)
        }
        for task, values in scores.items()
    }
    path = tmp_path / "zc_transbench101_micro.json"
    path.write_text(json.dumps(document))
    import_table(path, data_dir=data_folder)
    for task, values in scores.items():
        frame = load_accuracy(task, "validation", data_dir=data_folder, space=MICRO)
        assert frame["accuracy_mean"].to_numpy() == pytest.approx(values)
        assert frame["seeds"].isna().all()
    path.write_text(json.dumps({"faces": document["jigsaw"]}))
    with pytest.raises(UnknownNameError, match="unknown data set 'faces'"):
        preview_table(path)
    path.write_text("[1, 2]")
    with pytest.raises(TableError, match="expected the JSON file of NAS-Bench-Macro"):
        preview_table(path)


def test_the_real_table_of_nas_bench_macro(data_folder):
    import_table(real("nas_bench_macro.csv"), data_dir=data_folder)
    frame = load_accuracy("cifar10", "test", data_dir=data_folder, space=MACRO)
    assert frame["accuracy_mean"].max() == pytest.approx(93.1267, abs=5e-5)
    assert frame["accuracy_mean"][0] == pytest.approx((45.32 + 45.33 + 45.44) / 3)


def test_the_real_table_of_transnas(data_folder):
    path = real("trans_nas_bench_101_micro.csv")
    import_table(path, data_dir=data_folder)
    published = pd.read_csv(path, dtype={"arch": str})
    assert len(get_space(MICRO).datasets) == 7
    for task in get_space(MICRO).datasets:
        frame = load_accuracy(task.name, "validation", data_dir=data_folder, space=MICRO)
        assert frame["accuracy_mean"].tolist() == published[f"{task.name}_val"].tolist()
    assert (
        load_accuracy("room_layout", data_dir=data_folder, space=MICRO)["accuracy_mean"].max() < 0
    )


@pytest.fixture
def mine(tmp_path, data_folder):
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    return store_space(path, data_folder)


def write_mine(folder, change=None):
    lines = ["arch,toy_val,other_test_0,other_test_1,note"]
    lines += [f"{a}{b},{a + b + 0.5},{10 * b},{10 * b + 2},?" for a in range(2) for b in range(3)]
    path = folder / "scores.csv"
    path.write_text("\n".join(lines if change is None else change(lines)))
    return path


def test_a_table_of_a_declared_space(mine, tmp_path, data_folder):
    path = write_mine(tmp_path)
    info = import_table(path, data_dir=data_folder, space=mine)
    assert info.space == "mine"
    assert [(item.dataset, item.kind) for item in info.sets] == [
        ("toy", "validation"),
        ("other", "test"),
    ]
    loss = load_accuracy("toy", "validation", data_dir=data_folder, space="mine")
    assert loss["accuracy_mean"].tolist() == [
        -0.5,
        -1.5,
        -2.5,
        -1.5,
        -2.5,
        -3.5,
    ]  # larger is better
    other = load_accuracy("other", "test", "scores", data_folder, "mine")
    assert other["accuracy_mean"].tolist() == [1, 11, 21] * 2
    assert load_seeds("other", "test", path, data_folder, mine)["seed"].tolist() == [0, 1] * 6
    assert [table.name for table in list_tables(data_folder, mine)] == ["scores"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "each of the 6 architectures"),
        (lambda lines: [*lines[:-1], "13,1,1,1,?"], "line 7 .13.: expected 2 digits like 12"),
        (lambda lines: [*lines[:-1], "12,inf,1,1,?"], "12.: expected a number for toy"),
        (lambda lines: [*lines[:-1], "12,1,101,1,?"], "12.: expected an accuracy from 0 to 100"),
        (lambda lines: [*lines[:-1], "11,1,1,1,?"], "11.: expected each architecture once for toy"),
        (lambda lines: ["a,b,c,d,e", *lines[1:]], "column arch with 2 digits like 12, .* toy_val"),
    ],
)
def test_a_wrong_table_of_a_declared_space_is_refused(change, message, mine, tmp_path, data_folder):
    with pytest.raises(TableError, match=message):
        import_table(write_mine(tmp_path, change), data_dir=data_folder, space=mine)


def test_a_table_whose_space_is_gone_is_reported(mine, tmp_path, data_folder):
    from fewshot_core.bench import damaged_tables

    import_table(write_mine(tmp_path), data_dir=data_folder, space=mine)
    (data_folder / "spaces" / "mine.toml").unlink()
    [(name, reason)] = damaged_tables(data_folder)
    assert name == "scores" and "unknown search space 'mine'" in reason


def test_a_space_and_its_tables_are_read_once_and_stored_together(tmp_path, monkeypatch):
    declaration, data = tmp_path / "mine.toml", tmp_path / "data"
    declaration.write_text(TOML)
    tables = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for path in tables:
        digits = [f"{a}{b}" for a in range(2) for b in range(3)]
        path.write_text("\n".join(["arch,toy_val", *(f"{text},1.5" for text in digits)]))
    read = []
    monkeypatch.setattr(
        "fewshot_core.bench.csv_importer.read_csv_text",
        lambda path, *rest: read.append(path) or read_csv_text(path, *rest),
    )
    (data / "tables" / "two").mkdir(parents=True)
    with pytest.raises(TableError, match="there is a table 'two' already"):
        import_space(declaration, tables, data)
    assert not (data / "spaces").exists() and [*(data / "tables").iterdir()] == [
        data / "tables" / "two"
    ]
    (data / "tables" / "two").rmdir()
    space, infos = import_space(declaration, tables, data)
    assert read == tables and [info.name for info in infos] == ["one", "two"]
    assert {info.name for info in list_tables(data, space)} == {"one", "two"}
