import shutil
from pathlib import Path

import numpy as np
import pytest

from fewshot_core.bench import list_tables
from fewshot_core.bench.table import architecture_codes

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def _shared(name):
    path = SHARED / "data" / "nats_bench" / name
    if not path.exists():
        pytest.skip(f"needs {name} in the folder `shared` beside the project")
    return path


@pytest.fixture
def nats_csv():
    return _shared("nats_bench.csv")


@pytest.fixture
def nats_folder():
    return _shared("NATS-tss-v1_0-3ffb9-simple")


@pytest.fixture(scope="session")
def full_lines():
    """A complete CSV file with an unknown header, as lines; line n of the file is lines[n - 1]."""
    accuracies = np.random.default_rng(0).uniform(10, 95, size=(15625, 2)).round(3)
    rows = zip(architecture_codes("string"), accuracies, strict=True)
    body = [f"{text},{validation},{test}" for text, (validation, test) in rows]
    return ["arch,cifar10_val,cifar10_test", *body]


@pytest.fixture
def write_csv(tmp_path):
    def write(lines, name="table.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def packaged_dir(tmp_path_factory):
    """A data folder with the packaged table, for tests that only read."""
    folder = tmp_path_factory.mktemp("packaged")
    list_tables(folder)
    return folder


@pytest.fixture
def data_folder(packaged_dir, tmp_path):
    """A data folder with the packaged table, for tests that write."""
    return shutil.copytree(packaged_dir, tmp_path / "data")
