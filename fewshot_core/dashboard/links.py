"""Choices that stay from page to page and stand in the URL.

Streamlit's own binding of a widget to the URL forgets a choice on the way from the first page to
another; these do not.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

T = TypeVar("T", str, float)


def recall(key: str, default: T, read: Callable[[str], T], valid: Callable[[T], bool]) -> None:
    """Set what a control will show, before it is drawn: what the URL says, or what it was.

    Args:
        key: The control's key and its name in the URL.
        default: What it shows first, or when what is asked for does not exist.
        read: Makes a value of a text of the URL; may raise ValueError.
        valid: Whether a value can be shown now.
    """
    value = st.session_state.get(key, st.session_state.get(_kept(key), default))
    text = st.query_params.get(key)
    if text is not None and text != st.session_state.get(_written(key)):
        try:
            value = read(text)
        except ValueError:
            value = default
    # Set on every run: a page that is opened anew does not show what another page had chosen.
    st.session_state[key] = value if valid(value) else default


def recall_option(key: str, options: Sequence[str], default: str | None = None) -> None:
    """Set what a control with options will show; by default the first of them."""
    recall(key, default or options[0], str, lambda value: value in options)


def publish(key: str, default: str | float) -> None:
    """Write what a control shows into the URL, or nothing where that is the default."""
    value = st.session_state[key]
    st.session_state[_kept(key)] = value
    text = None if value == default else str(value)
    st.session_state[_written(key)] = text
    if text is not None:
        st.query_params[key] = text
    elif key in st.query_params:
        del st.query_params[key]


def _kept(key: str) -> str:
    return f"{key} on all pages"


def _written(key: str) -> str:
    return f"{key} in the URL"
