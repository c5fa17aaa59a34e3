import pytest

from fewshot_core.runs import RunFolder, SearchRequest, State, Status, reading_problem, search_job
from fewshot_core.runs.overview import find_damage
from fewshot_core.search import PRESETS
from fewshot_core.search.records import CHECKPOINT, RECORDS, TABLE
from fewshot_core.space import SubSpace


@pytest.fixture(scope="module")
def finished_search(tmp_path_factory):
    """The folder of a finished search of smoke size, for copying."""
    folder = tmp_path_factory.mktemp("search")
    request = SearchRequest(
        "cifar10",
        "darts-1st",
        tuple(SubSpace.full().rows),
        PRESETS.get("smoke").search,
        images="synthetic",
    )
    fingerprints = request.fingerprints(folder)
    run = RunFolder(folder / "runs" / request.run_id(fingerprints))
    run.path.mkdir(parents=True)
    run.write_manifest(
        {"kind": "search", "request": request.to_dict(), "fingerprints": fingerprints}
    )
    run.write_status(Status(State.DONE))
    search_job.run(run, folder)
    return run


@pytest.fixture
def done_search(finished_search, tmp_path):
    copy = RunFolder(tmp_path / "runs" / finished_search.run_id)
    copy.path.mkdir(parents=True)
    for path in finished_search.path.iterdir():
        (copy.path / path.name).write_bytes(path.read_bytes())
    return copy


def test_nothing_is_wrong_with_what_is_whole(done_split, done_search):
    assert find_damage(done_split) == find_damage(done_search) == []
    assert reading_problem(done_split) is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("manifest.json", "{", "manifest.json cannot be read"),
        ("manifest.json", '{"request": {}}', "expected a request of format"),
        ("manifest.json", '{"request": {}, "kind": "party"}', "unknown kind of run 'party'"),
        ("status.json", "[]", "status.json is damaged"),
        ("tree.json", "{", "tree.json cannot be read"),
        ("tree.json", None, "result is incomplete"),
        ("manifest.json", None, "no manifest.json"),
    ],
)
def test_damage_of_a_split_is_found(done_split, name, content, words):
    path = done_split.path / name
    path.unlink() if content is None else path.write_text(content)
    [problem] = find_damage(done_split)
    assert words in problem and done_split.run_id in problem


@pytest.mark.parametrize("name", [TABLE, CHECKPOINT])
@pytest.mark.parametrize("part", ["cut", "changed"])
def test_damage_of_a_search_is_found(done_search, name, part):
    path = done_search.path / name
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if part == "cut":
        del content[middle:]
    else:
        content[4:middle] = bytes(middle - 4)
    path.write_bytes(content)
    [problem] = find_damage(done_search)
    assert name in problem


def test_a_search_without_all_its_epochs_is_incomplete(done_search):
    path = done_search.path / RECORDS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    problems = find_damage(done_search)
    assert len(problems) == 2
    assert "incomplete" in problems[0] and "other epochs" in problems[1]


def test_a_run_that_was_not_finished_may_lack_its_results(done_search):
    for name in (TABLE, RECORDS, CHECKPOINT):
        (done_search.path / name).unlink()
    done_search.write_status(Status(State.CANCELLED))
    assert find_damage(done_search) == []
