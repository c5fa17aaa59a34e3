"""States in files: whole or not at all, and read without running anything."""

import pickle

import pytest
import torch

from fewshot_core.search import SearchError
from fewshot_core.search.compute import Randomness, generator_for
from fewshot_core.search.loop import SearchState

STATE = SearchState({"kind": "search", "seed": 1}, {"weight": torch.ones(2)}, {"records": []})


def test_a_state_comes_back_from_its_file(tmp_path):
    STATE.save(tmp_path / "state.pt")
    found = SearchState.load(tmp_path / "state.pt")
    assert found.identity == STATE.identity
    assert torch.equal(found.supernet["weight"], torch.ones(2))
    assert found.rest == {"records": []}
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.pt"
    STATE.save(path)
    before = path.read_bytes()
    unwritable = SearchState({}, {}, {"generator": (number for number in range(3))})
    with pytest.raises(TypeError):
        unwritable.save(path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["state.pt"]


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(SearchError, match="found no file at"):
        SearchState.load(tmp_path / "state.pt")


@pytest.mark.parametrize("length", [0, 10, 400, -30])
def test_a_damaged_file_is_an_error(tmp_path, length):
    path = tmp_path / "state.pt"
    STATE.save(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(SearchError, match=r"cannot be read .*; delete it to start anew"):
        SearchState.load(path)


@pytest.mark.parametrize("content", [{"format": "other"}, {}, [1, 2], torch.ones(2)])
def test_a_file_of_something_else_is_an_error(tmp_path, content):
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(SearchError, match=r"state\.pt: expected"):
        SearchState.load(tmp_path / "state.pt")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code in a checkpoint was run",))


def test_code_in_a_file_is_not_run(tmp_path):
    (tmp_path / "state.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(SearchError):
        SearchState.load(tmp_path / "state.pt")
    torch.save({"format": Bomb()}, tmp_path / "state.pt")
    with pytest.raises(SearchError):
        SearchState.load(tmp_path / "state.pt")


def test_what_differs_is_named():
    with pytest.raises(SearchError, match="its seed is 1, expected 2"):
        STATE.check({"kind": "search", "seed": 2})
    STATE.check({"seed": 1, "kind": "search"})


def test_purposes_draw_independently():
    random = Randomness(5, ("one", "two"))
    torch.rand(100, generator=random["one"])
    assert torch.equal(
        torch.rand(3, generator=random["two"]), torch.rand(3, generator=generator_for(5, "two"))
    )
    assert not torch.equal(
        torch.rand(3, generator=generator_for(5, "one")),
        torch.rand(3, generator=generator_for(5, "two")),
    )


def test_generators_go_on_where_their_state_was_taken():
    random = Randomness(5, ("one",))
    torch.rand(3, generator=random["one"])
    state = random.state_dict()
    expected = torch.rand(3, generator=random["one"])
    other = Randomness(6, ("one",))
    other.load_state_dict(state)
    assert torch.equal(torch.rand(3, generator=other["one"]), expected)
