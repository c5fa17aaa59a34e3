from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit
from fewshot_core.store import known_splits

HALVES = (SubSpace.full().keep(0, [3]), SubSpace.full().keep(0, [0, 1, 2, 4]))


def test_runs_and_imported_splits_of_a_data_set_are_known(data_folder, make_run, open_store):
    run = make_run()
    dataset, metric = run.split_request().dataset, run.split_request().metric
    splits = [NamedSplit("#lr", dataset, HALVES, None), NamedSplit("x", "cifar100", HALVES, None)]
    names = store_splits(splits, "mine.json", data_folder)
    store = open_store()
    found = known_splits(store, data_folder, dataset)
    assert [(split.key, split.metric) for split in found] == [
        (run.run_id, metric),
        (f"file-{names[0]}", "linear_regions"),
    ]
    assert found[0].leaves == tuple(run.tree().leaves)
    assert found[1].leaves == HALVES
    assert len(known_splits(store, data_folder, "cifar100")) == 1


def test_a_damaged_import_is_left_out(data_folder, open_store):
    (name,) = store_splits([NamedSplit("x", "cifar10", HALVES, None)], "mine.json", data_folder)
    (data_folder / "splits" / f"{name}.json").write_text("{")
    assert known_splits(open_store(), data_folder, "cifar10") == []
