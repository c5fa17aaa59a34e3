"""Columns of costs and estimates: of stored tables, and of files."""

import pandas as pd
import pytest

from fewshot_core.bench import (
    ColumnMapping,
    TableColumn,
    import_table,
    list_columns,
    list_tables,
    load_accuracy,
    load_column,
    preview_table,
)
from fewshot_core.bench.table import COSTS
from fewshot_core.errors import TableError, UnknownNameError
from fewshot_core.space import NAS_BENCH_201, get_space

MACRO = get_space("nas-bench-macro")
ESTIMATE, COST = TableColumn("one_shot", "estimate", "cifar10"), TableColumn("ms", "cost", "", "ms")


@pytest.fixture
def file(write_csv):
    """A file with an estimate of all architectures and a cost of the first ten."""
    rows = [
        f"{NAS_BENCH_201.digits(index)},{index / 100},{index if index < 10 else ''}"
        for index in reversed(range(NAS_BENCH_201.size))
    ]
    return write_csv(["arch,one_shot,ms", *rows], "estimates.csv")


def test_a_table_may_have_only_costs_and_estimates(file, data_folder):
    mapping = ColumnMapping("arch", (), "digits", others=(ESTIMATE, COST))
    info = import_table(file, mapping=mapping, data_dir=data_folder)
    assert info.sets == () and [column.architectures for column in info.columns] == [15_625, 10]
    assert [column.complete for column in info.columns] == [True, False]
    assert info in list_tables(data_folder)
    for source in ("estimates", str(file)):
        found = load_column(source, "one_shot", data_folder)
        assert found["architecture"].tolist() == list(range(15_625))
        assert (found["one_shot"] == found["architecture"] / 100).all()
        assert load_column(source, "ms", data_folder)["ms"].tolist() == list(range(10))
    estimates = list_columns("estimate", "cifar10", data_folder)
    assert [(table.name, column.name) for table, column in estimates] == [("estimates", "one_shot")]
    assert list_columns("estimate", "cifar100", data_folder) == []
    costs = [column.name for _, column in list_columns("cost", "cifar100", data_folder)]
    assert costs == [*COSTS, "ms"]
    with pytest.raises(TableError, match="no column 'luck', only one_shot, ms"):
        load_column("estimates", "luck", data_folder)
    with pytest.raises(TableError, match="no validation accuracies on cifar10"):
        load_accuracy("cifar10", source="estimates", data_dir=data_folder)
    with pytest.raises(UnknownNameError, match="unknown role 'luck'"):
        list_columns("luck", "cifar10", data_folder)


def test_costs_and_estimates_are_guessed_by_their_names(file, full_lines, write_csv):
    preview = preview_table(file)
    assert preview.mapping is not None
    assert preview.mapping.others == (TableColumn("one_shot", "estimate"),)  # "ms" says nothing
    assert "one_shot = estimate" in str(preview.problem)
    assert "--map one_shot=estimate" in preview.mapping.to_options()
    head, *rows = full_lines
    lines = [f"{head},pixel3_latency", *(f"{row},1.5" for row in rows)]
    preview = preview_table(write_csv(lines))
    assert preview.mapping is not None and len(preview.mapping.columns) == 2
    assert preview.mapping.others == (TableColumn("pixel3_latency", "cost"),)
    assert preview.content is not None and len(preview.content.accuracy) == 2 * 15_625


def test_the_scores_of_a_proxy_are_estimates_of_its_task(write_csv, data_folder):
    space = get_space("trans-nas-bench-101-micro")
    head = "arch,jigsaw_val,jigsaw_zen"
    rows = [f"{space.digits(index)},{index % 90},{index}" for index in range(space.size)]
    info = import_table(write_csv([head, *rows]), data_dir=data_folder, space=space)
    assert [(one.name, one.role, one.dataset) for one in info.columns] == [
        ("jigsaw_zen", "estimate", "jigsaw")
    ]
    assert load_column("table", "jigsaw_zen", data_folder, space)["jigsaw_zen"].iloc[-1] == 4095
    with pytest.raises(TableError, match="expected a table of nas-bench-201"):
        load_column("table", "jigsaw_zen", data_folder)


def test_options_state_the_same_mapping():
    mapping = ColumnMapping(
        "arch", (("a", "cifar10", "test"),), others=(ESTIMATE, COST, TableColumn("x", "estimate"))
    )
    options = mapping.to_options().split()
    maps = [text for text, before in zip(options[1:], options, strict=False) if before == "--map"]
    assert ColumnMapping.from_options("arch", maps) == mapping
    for text in ("x", "x=", "=cost", "x=cifar10", "x=luck:"):
        with pytest.raises(TableError, match="expected COLUMN=DATASET:KIND"):
            ColumnMapping.from_options("arch", [text])
    with pytest.raises(TableError, match="unknown data set 'mnist'"):
        ColumnMapping("arch", (), others=(TableColumn("x", "estimate", "mnist"),))
    with pytest.raises(TableError, match="costs or estimates once"):
        ColumnMapping("arch", (), others=(COST, COST))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["00000000,nan"], "line 2.*expected a finite number"),
        (["00000000,x"], "line 2.*expected a finite number"),
        (["00000000,1", "00000000,2"], "line 3.*once, but .*line 2 has it too"),
        (["99999999,1"], "line 2.*8 digits"),
        (["00000000,"], "expected numbers in the column 'e', got none"),
    ],
)
def test_wrong_cells_are_refused(write_csv, data_folder, rows, message):
    path = write_csv(["arch,e", *rows])
    mapping = ColumnMapping(
        "arch", (), "digits", space=MACRO, others=(TableColumn("e", "estimate"),)
    )
    with pytest.raises(TableError, match=message):
        import_table(path, mapping=mapping, data_dir=data_folder)
    assert len(list_tables(data_folder, None)) == 1


def test_a_negative_cost_is_refused(write_csv, data_folder):
    path = write_csv(["arch,ms", "000000,-1"])
    with pytest.raises(TableError, match="expected a number of at least 0 in the column 'ms'"):
        import_table(
            path, mapping=ColumnMapping("arch", (), "digits", others=(COST,)), data_dir=data_folder
        )


def test_a_damaged_column_is_said_to_be(file, data_folder):
    mapping = ColumnMapping("arch", (), "digits", others=(ESTIMATE,))
    import_table(file, mapping=mapping, data_dir=data_folder)
    path = data_folder / "tables" / "estimates" / "columns.parquet"
    pd.DataFrame({"other": [1]}).to_parquet(path)
    with pytest.raises(TableError, match=r"expected \[.*one_shot"):
        load_column("estimates", "one_shot", data_folder)
