import json

import pandas as pd
import pytest

from fewshot_core.analysis.reports import read_masks, report_split
from fewshot_core.errors import SpaceError
from fewshot_core.space import SubSpace

HALVES = [["11000", *["11111"] * 5], ["00111", *["11111"] * 5]]


def write(path, splits):
    path.write_text(json.dumps({"splits": splits}))
    return path


def test_masks_are_read(tmp_path):
    read = read_masks(write(tmp_path / "masks.json", {"params": {"cifar10": HALVES}}))
    assert [leaf.size for leaf in read["params"]["cifar10"]] == [6250, 9375]


@pytest.mark.parametrize("splits", [None, {"params": []}, {"params": {"cifar10": HALVES[:1]}}])
def test_damaged_masks_are_refused(splits, tmp_path):
    with pytest.raises(SpaceError, match=r"masks\.json"):
        read_masks(write(tmp_path / "masks.json", splits))


def test_a_report_is_plain_numbers():
    table = pd.DataFrame({"architecture": [0, 1], "accuracy_mean": [1.0, 2.0]})
    leaves = [SubSpace.from_rows(rows) for rows in HALVES]
    report = report_split("params", "cifar10", "test", "mine", leaves, table, 0.5)
    first, second = report["sub_spaces"]
    assert (first["size"], first["top_count"], first["best"], first["mean"]) == (6250, 1, 2.0, 1.5)
    assert (second["best"], second["mean"]) == (None, None)
    assert json.dumps(report)
