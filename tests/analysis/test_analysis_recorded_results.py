import pytest
from recorded_searches import keep_search, keep_searches

from fewshot_core.analysis import NO_SPLITTING, recorded_results
from fewshot_core.analysis.results import results_table
from fewshot_core.bench import load_accuracy
from fewshot_core.space import SubSpace
from fewshot_core.store import KnownSplit, Store

FULL = SubSpace.full()
HALVES = (FULL.keep(0, [3]), FULL.keep(0, [0, 1, 2, 4]))
OTHERS = (FULL.keep(0, [3, 4]), FULL.keep(0, [0, 1, 2]))


@pytest.fixture
def collect(tmp_path):
    def collect(*splits):
        store = Store(tmp_path, in_memory=True)
        store.sync()
        assert not store.problems
        searches = store.searches("cifar10")
        records = store.search_records(list(searches["run_id"]))
        return recorded_results(splits, searches, records, load_accuracy("cifar10"))

    return collect


def test_a_result_is_what_was_found_at_the_end(tmp_path, collect):
    runs = keep_searches(tmp_path, HALVES)
    frame = collect(KnownSplit("a", "params", HALVES))
    means = load_accuracy("cifar10").set_index("architecture")["accuracy_mean"]
    assert list(frame["run_id"].sort_values()) == sorted(run.run_id for run in runs)
    for run, row in zip(runs, frame.sort_values("sub_space").to_dict("records"), strict=True):
        assert row["run_id"] == run.run_id
        assert row["test_accuracy"] == means[run.records()[-1]["architecture_index"]]
    table = results_table(frame, "cifar10")
    cell = table[(table["metric"] == "params") & (table["algorithm"] == "snas")].iloc[0]
    assert cell["mean"] == frame["test_accuracy"].max()
    assert (cell["seeds"], cell["mixed"], cell["missing_seeds"]) == (1, False, (888, 999))


def test_a_search_counts_for_every_split_with_its_sub_space(tmp_path, collect):
    keep_search(tmp_path, HALVES[0])
    keep_search(tmp_path, FULL)
    splits = KnownSplit("a", "params", HALVES), KnownSplit("b", "snip", HALVES)
    frame = collect(*splits, KnownSplit("c", "ntk", OTHERS))
    assert list(frame["metric"]) == [NO_SPLITTING, "params", "snip"]
    assert list(frame["sub_spaces"]) == [1, 2, 2]


def test_the_same_split_counts_once_and_others_are_told_apart(tmp_path, collect):
    keep_searches(tmp_path, [*HALVES, *OTHERS])
    frame = collect(
        KnownSplit("a", "random", HALVES),
        KnownSplit("b", "random", HALVES),
        KnownSplit("c", "random", OTHERS),
    )
    assert sorted(frame["split"]) == ["1", "1", "2", "2"]
    table = results_table(frame, "cifar10")
    assert table[(table["metric"] == "random") & (table["algorithm"] == "snas")]["mixed"].all()


def test_presets_say_what_else_differs(tmp_path, collect):
    keep_search(tmp_path, FULL)
    keep_search(tmp_path, FULL, epochs=3)
    keep_search(tmp_path, FULL, preset="quick")
    assert sorted(collect()["preset"]) == [
        "3 epochs on made-up images",
        "quick on made-up images",
        "smoke on made-up images",
    ]


def test_settings_of_one_name_are_told_apart_by_their_family(tmp_path, collect):
    keep_search(tmp_path, FULL, epochs=3)
    keep_search(tmp_path, FULL, epochs=3, preset="quick")
    names = sorted(collect()["preset"])
    assert len(set(names)) == 2
    assert all(name.startswith("3 epochs on made-up images ") for name in names)
    results_table(collect(), "cifar10")


def test_without_searches_all_cells_are_empty(collect):
    frame = collect(KnownSplit("a", "params", HALVES))
    assert frame.empty
    assert (results_table(frame, "cifar10")["seeds"] == 0).all()


def test_validation_accuracies_have_no_difference_to_the_published(tmp_path, collect):
    keep_search(tmp_path, FULL)
    for kind, there in (("test", True), ("validation", False)):
        table = results_table(collect(), "cifar10", accuracy=kind)
        assert table["difference"].notna().any() == there
        assert table["published_mean"].notna().all()
