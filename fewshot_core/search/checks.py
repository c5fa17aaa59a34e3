"""Checks of single values, with messages that say what was expected and what came."""

import math
from collections.abc import Mapping

from fewshot_core.search.errors import SearchError


def check_integer(options: object, name: str, least: int, most: int) -> None:
    """Check that an attribute is an integer in a range.

    Raises:
        SearchError: If it is not.
    """
    value = getattr(options, name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise SearchError(f"expected {name}, an integer from {least:,} to {most:,}, got {value!r}")


def check_number(
    options: object,
    name: str,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    """Check that an attribute is a finite number in a range.

    Raises:
        SearchError: If it is not.
    """
    value = getattr(options, name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not _within(value, least, most, above, below):
        limits = {"of at least": least, "above": above, "of at most": most, "below": below}
        ranges = [f"{word} {limit:g}" for word, limit in limits.items() if math.isfinite(limit)]
        raise SearchError(f"expected {name}, a number {' and '.join(ranges)}, got {value!r}")


def check_choice(options: object, name: str, choices: Mapping[str, object]) -> None:
    """Check that an attribute is one of some names.

    Raises:
        SearchError: If it is not.
    """
    value = getattr(options, name)
    if value not in choices:
        raise SearchError(f"unknown {name} {value!r}: expected one of {', '.join(choices)}")


def _within(value: float, least: float, most: float, above: float, below: float) -> bool:
    return least <= value <= most and above < value < below
