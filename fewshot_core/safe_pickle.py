"""Reading pickles without running what is in them.

A pickle may name any function and call it while it is read. This reader allows only the names it
is given, and refuses a file that names another before anything is called.
"""

import codecs
import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy._core import multiarray

from fewshot_core.errors import FewshotError, TableError

Globals = Mapping[tuple[str, str], Any]
"""What a pickle may name: the object for each (module, name)."""

PLAIN: Globals = {}
"""Numbers, strings, tuples, lists, dictionaries and sets: they need no names."""

NUMPY_SCALARS: Globals = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "scalar"): multiarray.scalar,  # as NumPy 1 wrote it
    ("numpy._core.multiarray", "scalar"): multiarray.scalar,
}
"""Also ordered dictionaries and NumPy numbers."""

NUMPY_ARRAYS: Globals = {
    **NUMPY_SCALARS,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): multiarray._reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): multiarray._reconstruct,
    ("_codecs", "encode"): codecs.encode,
}
"""Also NumPy arrays, as NumPy 1 and 2 and Python 2 and 3 wrote them."""

DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    MemoryError,
)
"""What reading a damaged pickle may raise."""


def load_pickle(
    data: bytes,
    label: str,
    allowed: Globals = PLAIN,
    encoding: str = "ASCII",
    error: type[FewshotError] = TableError,
) -> Any:
    """Load the object in a pickle; ``encoding`` is that of strings that Python 2 wrote.

    Raises:
        FewshotError: Of type ``error``, if the pickle names anything that is not allowed, which the
            message states, or is damaged.
    """
    try:
        return _Unpickler(data, label, allowed, encoding, error).load()
    except DAMAGE as damage:
        raise error(
            f"{label} is not a whole pickle ({damage}); get the file again from where it came from"
        ) from damage


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, data: bytes, label: str, allowed: Globals, encoding: str, error: type[FewshotError]
    ) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)
        self._label = label
        self._error = error
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            known = ", ".join(".".join(pair) for pair in self._allowed) or "plain values only"
            raise self._error(
                f"{self._label} asks for {module}.{name}, which could run code; expected {known}. "
                "Nothing of it was run; get the file from a source you trust"
            )
        return self._allowed[module, name]
