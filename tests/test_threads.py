"""What processes that compute are told about threads."""

from fewshot_core.runs.devices import THREADS_ENVIRONMENT, with_threads


def test_threads_are_told_to_spin_for_a_short_time():
    assert with_threads({"A": "b"}) == {"A": "b"} | THREADS_ENVIRONMENT


def test_what_the_environment_says_about_threads_counts():
    given = {"GOMP_SPINCOUNT": "7"}
    assert with_threads(given) == given


def test_another_way_of_saying_it_is_not_overruled():
    given = {"OMP_WAIT_POLICY": "ACTIVE"}
    assert with_threads(given) == given
