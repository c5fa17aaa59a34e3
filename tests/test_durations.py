import pytest

from fewshot_core.durations import duration_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a second"),
        (1, "1 s"),
        (11.1, "11 s"),
        (61.7, "62 s"),
        (120, "2 min"),
        (9000, "2.5 h"),
    ],
)
def test_a_time_is_rounded_sensibly(seconds, text):
    assert duration_text(seconds) == text
