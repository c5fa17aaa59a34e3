"""``fewshot train``: what a training would take, before it is started."""

import pytest

from fewshot_core.cli import search as cli_train
from fewshot_core.runs import list_runs


@pytest.fixture
def asked(monkeypatch):
    """The requests whose time was asked for; each would take 40 minutes."""
    requests = []

    def answer(request, place):
        requests.append(request)
        return 2400.0

    monkeypatch.setattr(cli_train, "expected_seconds", answer)
    return requests


def test_an_estimate_starts_nothing(fewshot, data_folder, asked):
    arguments = ("--preset", "smoke", "--set", "epochs=7", "--images", "synthetic", "--estimate")
    answer = fewshot("train", *arguments)
    assert (answer.code, answer.out.strip()) == (0, "about 40 min")
    assert fewshot("train", *arguments, "--json").document == {"seconds": 2400.0}
    assert [request.options.epochs for request in asked] == [7, 7]
    assert list_runs(data_folder) == []


def test_an_option_that_does_not_exist_is_said(fewshot, data_folder):
    answer = fewshot("train", "--set", "patience=3", "--images", "synthetic")
    assert answer.code == 1 and "patience" in answer.err
    assert list_runs(data_folder) == []
