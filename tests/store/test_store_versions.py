"""A data folder that version 0.1 has written opens in this version.

``version_0.1.tar.gz`` was written by its commands ``split``, ``search``, ``import-table`` and
``curves import``, and its import of splits. It is never written again. ``tests/pages`` opens every
page on it, ``tests/cli`` runs the commands.
"""

from contextlib import closing
from pathlib import Path

from fewshot_core.bench import load_accuracy
from fewshot_core.runs import RunFolder, SplitRequest, list_runs
from fewshot_core.runs.jobs import find_finished
from fewshot_core.search.loop import SearchState
from fewshot_core.selection.imported import imported_curves, open_curves
from fewshot_core.splitting.files import imported_names, open_imported
from fewshot_core.store import Store, verify


def test_runs_of_version_0_1_are_read_and_nothing_of_them_is_damaged(old: Path):
    found = verify(old)
    assert found.well and found.finished == found.folders == 3
    with closing(Store(old)) as store:
        store.sync()
        assert store.problems == {}
        assert sorted(store.splits()["metric"]) == ["gradnorm", "params"]
        [search] = store.searches().to_dict("records")
        assert (search["algorithm"], search["preset"]) == ("snas", "smoke")
        records = store.search_records([search["run_id"]])
        assert records["epoch"].tolist()[-1] == search["epochs"]
        assert records["architecture"].notna().all()


def test_a_run_of_version_0_1_is_found_again_and_its_checkpoint_is_read(old: Path):
    runs = {run.request().kind: run for run in list_runs(old)}
    assert SearchState.load(runs["search"].path / "checkpoint.pt").supernet
    params = next(run for run in list_runs(old) if "params" in run.run_id)
    request = params.request()
    assert isinstance(request, SplitRequest)
    found = find_finished(request, old)
    assert isinstance(found, RunFolder) and found.run_id == params.run_id


def test_what_version_0_1_has_imported_is_read(old: Path):
    assert len(load_accuracy("cifar10", "test", "mine", old)) == 15_625
    [name] = imported_names(old)
    assert open_imported(name, old).name == "mine"
    [name] = imported_curves(old)
    assert open_curves(name, old)[0].end == 3
