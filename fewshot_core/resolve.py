"""Finding a function by its name, so that a registry need not import what it lists."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from fewshot_core.errors import FewshotError


def resolve(name: str) -> Callable[..., Any]:
    """Return the function of a ``"module:function"`` name, importing its module."""
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function


def resolve_plugin(
    name: str, what: str, form: str, error_type: type[FewshotError]
) -> Callable[..., Any]:
    """Return what another package's record names, where the record may be wrong about it.

    Args:
        name: As for ``resolve``.
        what: What is looked for, for the message: "the algorithm snas".
        form: What stands behind the colon: "function" or "class".
        error_type: What to raise.

    Raises:
        FewshotError: Of that type, if it cannot be imported.
    """
    try:
        return resolve(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise error_type(
            f"expected {what} at {name!r} (module:{form}), which cannot be imported: {error}"
        ) from error
