import gzip
import re
import shlex
import shutil

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.bench import (
    FORMS,
    KINDS,
    SCALES,
    ColumnMapping,
    import_table,
    list_tables,
    load_accuracy,
)
from fewshot_core.bench.csv_importer import propose_mapping, read_csv
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.space import NAS_BENCH_201, Architecture

MAPPING = ColumnMapping(
    "arch", (("cifar10_val", "cifar10", "validation"), ("cifar10_test", "cifar10", "test"))
)
SKIP = Architecture((1,) * 6).index


FACTS = {
    "cifar10": (94.3733, 54.2967),
    "cifar100": (73.5133, 15.6067),
    "ImageNet16-120": (47.3111, 16.3222),
}
"""The best accuracy and the one of the architecture of skip connections."""


def test_the_known_header_is_test_accuracy(nats_csv, data_folder):
    info = import_table(nats_csv, data_dir=data_folder)
    assert (info.name, info.source) == ("nats_bench", "nats_bench.csv")
    assert {(item.kind, item.complete, item.epochs) for item in info.sets} == {("test", True, 200)}
    for dataset, (best, skip) in FACTS.items():
        frame = load_accuracy(dataset, "test", data_dir=data_folder)
        assert frame["architecture"].tolist() == list(range(15625))
        assert frame["accuracy_mean"].max() == pytest.approx(best, abs=5e-5)
        assert frame["accuracy_mean"][SKIP] == pytest.approx(skip, abs=5e-5)
        assert frame["accuracy_std"].isna().all() and frame["seeds"].isna().all()


def test_every_digit_of_a_file_survives(full_lines, write_csv):
    content = read_csv(write_csv(full_lines), MAPPING).accepted()
    assert len(content.accuracy) == 2 * 15625
    text, validation, test = full_lines[-1].split(",")
    last = content.accuracy[content.accuracy["architecture"] == 15624].set_index("kind")
    assert Architecture.from_string(text).index == 15624
    assert last["accuracy_mean"].to_dict() == {
        "validation": float(validation),
        "test": float(test),
    }


@pytest.mark.parametrize("form", ["index", "digits"])
def test_architectures_may_be_numbers(full_lines, write_csv, form):
    lines = [full_lines[0]]
    for line in full_lines[1:]:
        text, rest = line.split(",", 1)
        architecture = Architecture.from_string(text)
        digits = "".join(map(str, architecture.operations))
        lines.append(f"{architecture.index if form == 'index' else digits},{rest}")
    reading = read_csv(write_csv(lines))
    assert reading.mapping == ColumnMapping("arch", MAPPING.columns, form)
    expected = read_csv(write_csv(full_lines, "strings.csv"), MAPPING).accepted().accuracy
    assert reading.content.accuracy.equals(expected)


def test_a_compressed_file_with_a_byte_order_mark_is_read(full_lines, data_folder):
    path = data_folder / "table.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join(full_lines).encode("utf-8-sig")))
    info = import_table(path, mapping=MAPPING, data_dir=data_folder)
    assert (info.name, len(info.sets)) == ("table", 2)


def test_fractions_become_percentages_only_on_request(full_lines, write_csv):
    cells = [line.split(",") for line in full_lines[1:]]
    lines = [full_lines[0], *(f"{a},{float(b) / 100},{float(c) / 100}" for a, b, c in cells)]
    path = write_csv(lines)
    with pytest.raises(TableError, match="state the scale"):
        read_csv(path, MAPPING).accepted()
    reading = read_csv(path)
    assert reading.mapping.scale == "fraction" and "accuracies are fractions" in reading.problem
    fraction = ColumnMapping("arch", MAPPING.columns, scale="fraction")
    values = read_csv(path, fraction).accepted().accuracy["accuracy_mean"]
    assert 90 < values.max() <= 95


def test_an_unknown_header_must_be_confirmed(full_lines, write_csv, tmp_path):
    path = write_csv(full_lines)
    with pytest.raises(TableError) as caught:
        import_table(path, data_dir=tmp_path)
    words = "arch = architecture; cifar10_val = cifar10 validation; cifar10_test = cifar10 test"
    assert words in str(caught.value)
    assert not (tmp_path / "tables" / "table").exists()


def test_an_unknown_header_that_says_nothing_is_refused(full_lines, write_csv):
    reading = read_csv(write_csv(["a,b,c", *full_lines[1:]]))
    assert reading.content is None and reading.mapping is None
    assert reading.columns == ("a", "b", "c")
    assert "State which of them holds the architecture" in reading.problem


def replace_line(number, text):
    return lambda lines: [*lines[: number - 1], text, *lines[number:]]


def arch(index):
    return Architecture.from_index(index).to_string()


WRONG = {
    "missing": (lambda lines: lines[:-2], f"2 are missing, the first {arch(15623)}"),
    "missing first": (lambda lines: [lines[0], *lines[2:]], f"1 are missing, the first {arch(0)}"),
    "duplicate": (
        lambda lines: [*lines, lines[8]],
        rf"line 15627 ({arch(7)}): expected each architecture once for cifar10, validation, but "
        "table.csv, line 9 has it too",
    ),
    "text": (replace_line(3, f"{arch(1)},abc,50"), f"line 3 ({arch(1)})"),
    "empty cell": (replace_line(3, f"{arch(1)},50,"), f"line 3 ({arch(1)})"),
    "nan": (replace_line(3, f"{arch(1)},nan,50"), f"line 3 ({arch(1)})"),
    "inf": (replace_line(3, f"{arch(1)},50,inf"), f"line 3 ({arch(1)})"),
    "negative": (replace_line(3, f"{arch(1)},-0.1,50"), f"line 3 ({arch(1)})"),
    "above 100": (replace_line(3, f"{arch(1)},50,100.1"), f"line 3 ({arch(1)})"),
    "bad architecture": (replace_line(5, "|nothing~0|,50,50"), "line 5 (|nothing~0|)"),
    "short row": (replace_line(4, f"{arch(2)},50"), "line 4: expected 3 cells"),
    "long row": (replace_line(4, f"{arch(2)},50,50,50"), "line 4: expected 3 cells"),
    "open quote": (replace_line(4, f'"{arch(2)},50,50'), "expected cells separated by commas"),
    "no header": (lambda lines: lines[1:], "line 1: expected a header"),
    "repeated column": (
        replace_line(1, "arch,cifar10_test,cifar10_test"),
        "expected the column 'cifar10_test' once",
    ),
    "no rows": (lambda lines: lines[:1], "has no rows"),
    "empty": (lambda lines: [], "has no rows"),
    "other column": (replace_line(1, "arch,cifar10_val,b"), "expected a column 'cifar10_test'"),
}


@pytest.fixture(scope="module")
def stored(full_lines, packaged_dir, tmp_path_factory):
    """A data folder with the table `table`, and what it holds; refusals must not change it."""
    folder = shutil.copytree(packaged_dir, tmp_path_factory.mktemp("stored") / "data")
    path = folder / "table.csv"
    path.write_text("\n".join(full_lines), encoding="utf-8")
    import_table(path, mapping=MAPPING, data_dir=folder)
    return folder, list_tables(folder), load_accuracy("cifar10", "test", "table", folder)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_and_nothing_changes(full_lines, write_csv, stored, case):
    folder, tables, accuracy = stored
    change, message = WRONG[case]
    path = write_csv(change(full_lines))
    with pytest.raises(TableError, match=re.escape(message)):
        import_table(path, mapping=MAPPING, replace=True, data_dir=folder)
    assert list_tables(folder) == tables
    assert load_accuracy("cifar10", "test", "table", folder).equals(accuracy)


def test_another_encoding_is_refused_by_line(full_lines, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("\n".join([*full_lines[:3], "é"]).encode("latin-1"))
    with pytest.raises(TableError, match="line 4: expected text in UTF-8, got the byte 0xe9"):
        read_csv(path, MAPPING)


def test_half_a_compressed_file_is_refused(full_lines, tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress("\n".join(full_lines).encode())[:1000])
    with pytest.raises(TableError, match="cannot be read"):
        read_csv(path, MAPPING)


def test_blank_lines_do_not_shift_line_numbers(full_lines, write_csv):
    lines = [*full_lines[:2], "", f"{arch(1)},abc,50", *full_lines[3:]]
    with pytest.raises(TableError, match=re.escape(f"line 4 ({arch(1)})")):
        read_csv(write_csv(lines), MAPPING).accepted()


@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_with_the_name_of_the_file(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    with pytest.raises(TableError, match=r"any\.csv"):
        read_csv(path, MAPPING).accepted()


SETS = [(dataset, kind) for dataset in DATASETS.names() for kind in KINDS]
names = st.text(st.characters(exclude_categories=["C"]), min_size=1).filter(
    lambda name: not name.startswith("-")
)


@st.composite
def mappings(draw):
    targets = draw(st.lists(st.sampled_from(SETS), min_size=1, unique=True))
    columns = tuple((draw(names), *target) for target in targets)
    form, scale = draw(st.sampled_from(list(FORMS))), draw(st.sampled_from(list(SCALES)))
    return ColumnMapping(draw(names), columns, form, scale)


@given(mappings())
def test_the_options_it_shows_ask_for_it(mapping):
    words = shlex.split(mapping.to_options())
    options = list(zip(words[::2], words[1::2], strict=True))
    single = {name.removeprefix("--"): value for name, value in options if name != "--map"}
    maps = [value for name, value in options if name == "--map"]
    assert ColumnMapping.from_options(maps=maps, **single) == mapping


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("column", "expected COLUMN=DATASET:KIND"),
        ("column=cifar10", "expected COLUMN=DATASET:KIND"),
        ("=cifar10:test", "expected COLUMN=DATASET:KIND"),
        ("column=mnist:test", "unknown data set 'mnist': expected one of cifar10"),
        ("column=cifar10:train", "unknown kind of accuracy 'train': expected one of validation"),
    ],
)
def test_wrong_options_are_refused(text, message):
    with pytest.raises(TableError, match=message):
        ColumnMapping.from_options("arch", [text])


@pytest.mark.parametrize(
    "change",
    [
        {"columns": ()},
        {"columns": (("a", "cifar10", "test"), ("b", "cifar10", "test"))},
        {"form": "name"},
        {"scale": "permille"},
    ],
)
def test_a_wrong_mapping_is_refused(change):
    good = {"architecture": "arch", "columns": (("a", "cifar10", "test"),)}
    assert ColumnMapping(**good).form == "string"
    with pytest.raises(TableError):
        ColumnMapping(**{**good, **change})


def frame(**columns):
    strings = NAS_BENCH_201.format_many(range(4))
    return pd.DataFrame({"net": strings, **columns}, dtype=object)


def test_a_proposal_reads_names_and_content():
    numbers = ["50", "60.5", "70", "80"]
    rows = frame(
        **{
            "CIFAR-10 valid acc": numbers,
            "cifar100_test": numbers,
            "imagenet16_test_acc": numbers,
            "cifar10_test_loss": numbers,
            "cifar10_0_test_note": ["a", "b", "c", "d"],
        }
    )
    assert propose_mapping(rows) == ColumnMapping(
        "net",
        (
            ("CIFAR-10 valid acc", "cifar10", "validation"),
            ("cifar100_test", "cifar100", "test"),
            ("imagenet16_test_acc", "ImageNet16-120", "test"),
        ),
    )


def test_no_proposal_without_architectures_or_accuracies():
    assert propose_mapping(frame(accuracy=["50", "60", "70", "80"])) is None
    assert propose_mapping(pd.DataFrame({"cifar10_test": ["1.5", "2.5"]}, dtype=object)) is None
