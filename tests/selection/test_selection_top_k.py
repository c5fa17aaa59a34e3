"""The best few, chosen once."""

import pytest
from textbook_selection import hand_curves

from fewshot_core.errors import SelectionError
from fewshot_core.selection import top_k


def test_original_few_shot_nas_chooses_before_training():
    result = top_k(hand_curves(), 2)
    assert result.survivors == {0: ("S4", "S5"), 6: ("S5",)}
    assert result.cost == 2
    assert (result.winner, result.discarded_at) == ("S5", 0)


def test_top_k_later():
    result = top_k(hand_curves(), 1, 3)
    assert result.survivors == {3: ("S3",), 6: ("S3",)}
    assert result.cost == pytest.approx((8 * 3 + 3) / 6)
    assert result.regret == 0


@pytest.mark.parametrize("k", [0, 9])
def test_top_of_none_or_too_many(k):
    with pytest.raises(SelectionError, match=f"1 to 8 sub-supernets, got {k}"):
        top_k(hand_curves(), k)
