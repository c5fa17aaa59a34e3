import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.errors import TableError
from fewshot_core.safe_pickle import load_pickle

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back(value, protocol):
    assert load_pickle(pickle.dumps(value, protocol), "value") == value


def test_numpy_numbers_come_back():
    value = OrderedDict(accuracy=np.float64(1.5))
    data = pickle.dumps(value, 4)
    assert load_pickle(data, "value") == value


def test_code_is_refused_by_name_and_not_run(tmp_path):
    made = tmp_path / "made"
    data = pickle.dumps({"0": Harmful(made)})
    with pytest.raises(TableError, match=r"table\.pkl asks for posix\.mkdir"):
        load_pickle(data, "table.pkl")
    assert not made.exists()


@given(st.data())
def test_damage_is_refused_or_harmless(data):
    whole = pickle.dumps({"accuracy": [1.0, 2.0], "name": "text"}, 4)
    position = data.draw(st.integers(0, len(whole) - 1))
    cut = whole[:position] + data.draw(st.binary(max_size=3))
    try:
        load_pickle(cut, "table.pkl")
    except TableError as error:
        assert "table.pkl" in str(error)
