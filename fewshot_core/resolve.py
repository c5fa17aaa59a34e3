"""Finding a function by its name, so that a registry need not import what it lists."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def resolve(name: str) -> Callable[..., Any]:
    """Return the function of a ``"module:function"`` name, importing its module."""
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function
