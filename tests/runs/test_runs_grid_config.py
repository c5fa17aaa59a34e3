from pathlib import Path

import pytest

from fewshot_core.errors import RunError
from fewshot_core.metrics import list_metrics
from fewshot_core.runs.cluster import read_grid
from fewshot_core.search import PRESETS, list_algorithms
from fewshot_core.space import SubSpace
from fewshot_core.splitting import TreeOptions

PROJECT = Path(__file__).resolve().parents[2]
LEAVES = [SubSpace.full().keep(0, (0, 1)), SubSpace.full().keep(0, (2, 3, 4))]
MASKS = """{"splits": {"halves": {"cifar10": [
  ["11000", "11111", "11111", "11111", "11111", "11111"],
  ["00111", "11111", "11111", "11111", "11111", "11111"]]}}}"""


@pytest.fixture
def grid_of(tmp_path):
    """Read a grid from the text of its file."""

    def read(text, **options):
        path = tmp_path / "grid.toml"
        path.write_text(text)
        return read_grid(path, **options)

    return read


def test_splits_are_all_pairs_of_metrics_and_data_sets_and_repeats(grid_of):
    grid = grid_of(
        """
        [splits]
        metrics = ["params", "snip"]
        datasets = ["cifar10", "cifar100"]
        repeats = 3
        batch_size = 16
        network = { channels = 4, cells_per_stage = 2 }
        tree = { edges = [5, 1], groups = [2, 3], balanced = true }
        [images]
        cifar100 = "synthetic"
        """
    )
    assert len(grid.splits) == 2 * 2 * 3 and not grid.searches
    assert len(set(grid.splits)) == 12
    first = grid.splits[0]
    assert (first.metric, first.dataset, first.batch_size) == ("params", "cifar10", 16)
    assert (first.network.channels, first.network.cells_per_stage) == (4, 2)
    assert first.tree == TreeOptions.create((5, 1), (2, 3), balanced=True)
    assert [split.seed for split in grid.splits[:3]] == [0, 1, 2]
    assert {split.images for split in grid.splits if split.dataset == "cifar100"} == {"synthetic"}
    assert grid.searches_of("cifar10", LEAVES) == []


def test_all_metrics_can_be_asked_for(grid_of):
    assert [split.metric for split in grid_of("[splits]").splits] == list_metrics()


def test_searches_go_into_the_sub_spaces_of_splits(grid_of):
    grid = grid_of(
        """
        device = "cuda"
        [splits]
        metrics = ["params"]
        [searches]
        algorithms = "all"
        preset = "smoke"
        seeds = [777, 888]
        set = { epochs = 3, architecture_betas = [0.9, 0.99] }
        """
    )
    found = grid.searches_of("cifar10", LEAVES)
    assert len(found) == 2 * 4 * 2 == 2 * grid.searches_per_sub_space
    assert {request.algorithm for request in found} == set(list_algorithms())
    assert {request.rows for request in found} == {tuple(leaf.rows) for leaf in LEAVES}
    assert {request.device for request in [*found, *grid.splits]} == {"cuda"}
    options = found[0].options
    assert (options.epochs, options.architecture_betas) == (3, (0.9, 0.99))
    assert options.channels == PRESETS.get("smoke").search.channels
    assert not grid.searches


def test_searches_in_the_splits_of_a_file_and_in_the_whole_space(grid_of, tmp_path):
    (tmp_path / "masks.json").write_text(MASKS)
    grid = grid_of('[searches]\nmasks = "masks.json"\nno_splitting = true', device="mps")
    rows = [request.rows for request in grid.searches]
    assert rows == [tuple(space.rows) for space in [*LEAVES, SubSpace.full()]]
    assert {request.device for request in grid.searches} == {"mps"}
    assert grid.searches_of("cifar10", LEAVES) == []


def test_paths_are_relative_to_the_file(grid_of, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "weights.pt").touch()
    grid = grid_of(
        """
        [images]
        cifar10 = "pictures"
        [searches]
        no_splitting = true
        checkpoint = "weights.pt"
        """
    )
    [search] = grid.searches
    assert search.images == str(tmp_path / "pictures")
    assert search.checkpoint == str(tmp_path / "weights.pt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("splits", "cannot be read as TOML"),
        ("", "expected splits under"),
        ("[split]", "unknown 'split'"),
        ("[splits]\nmetric = 'params'", "unknown 'metric'"),
        ("[splits]\nmetrics = ['luck']", "unknown metric 'luck'"),
        ("[splits]\ndatasets = ['mnist']", "unknown data set 'mnist'"),
        ("[splits]\nbatch_size = 0", "batch_size"),
        ("[splits]\nnetwork = { layers = 3 }", "wrong type"),
        ("[splits]\nimages = 'x'", "unknown 'images'"),
        ("[images]\nmnist = 'x'", "unknown data set"),
        ("[searches]\nno_splitting = true\nalgorithms = ['luck']", "unknown search algorithm"),
        ("[searches]\nno_splitting = true\nset = { epoch = 3 }", "name=value"),
        ("[searches]\nno_splitting = true\nseeds = [-1]", "seed"),
        ("[searches]\nmasks = 'none.json'", "cannot be read"),
        ("[splits]\n[cluster]\nkind = 'cloud'", "expected the cluster to be"),
        ("[splits]\n[cluster]\nworkers = 0", "workers"),
        ("[splits]\n[cluster]\nnodes = 2", "unknown 'nodes'"),
    ],
)
def test_what_cannot_be_asked_is_an_error_that_names_the_file(grid_of, text, words):
    with pytest.raises(RunError, match=words) as caught:
        grid_of(text)
    assert "grid.toml" in str(caught.value)


def test_the_grid_of_the_paper_is_2592_searches():
    grid = read_grid(PROJECT / "docs" / "paper-grid.toml")
    assert len(grid.splits) == 9 * 3
    per_split = 8 * grid.searches_per_sub_space
    assert len(grid.splits) * per_split == 2592
    assert grid.searches_of("cifar10", LEAVES)[0].options == PRESETS.get("paper").search
