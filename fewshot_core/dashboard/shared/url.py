"""Controls whose values are in the URL and the same on all pages.

Streamlit's own binding of a widget to the URL loses the value on the way from the first page to
another; these controls keep it.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from fewshot_core.dashboard.shared.controls import counted

T = TypeVar("T", str, int, float, list[str])

_COLLECTED = "changes of the URL"
_PAGE = "page of the steady control"
SHOWN = 100
"""How much of a name in a URL is shown."""


def is_restored() -> bool:
    """Whether this run was started by the browser's Back or Forward."""
    context = get_script_run_ctx()
    return context is not None and bool(getattr(context, "is_history_navigation", False))


def keep_in_url(
    draw: Callable[[], Any],
    key: str,
    first: T,
    read: Callable[[str], T],
    valid: Callable[[T], bool],
    unwritten: T | None = None,
    write: Callable[[T], str] = str,
    steady: Hashable = False,
) -> T:
    """Draw a control whose value is in the URL and the same on all pages.

    It has the value of the URL, else its last one; ``first``, where that is none or not valid now.
    After Back or Forward only the URL counts. ``read`` makes a value of the URL's text and may
    raise ValueError, ``write`` the text of a value; the value ``unwritten`` is not written there.
    A steady control has the same settings as long as ``steady`` is the same, and no link changes
    its value: what is changed in it during a run is not lost.
    """
    value = last_value(key, first)
    text = st.query_params.get(key)
    # A steady one that changed again before the browser got the URL is newer than the URL.
    if is_restored() or (is_new(key) and not (steady and _last(key) in st.session_state)):
        try:
            value = first if text is None else read(text)
        except ValueError:
            value = first
    value = value if valid(value) else first
    context = get_script_run_ctx()
    page, drawn = f"{_PAGE} {key}", (context.page_script_hash if context else None, steady)
    # Set on every run: a control of other options, or of another page, does not keep a value.
    if not (steady and st.session_state.get(key) == value and st.session_state.get(page) == drawn):
        st.session_state[key] = value
    if steady:
        st.session_state[page] = drawn
    draw()
    chosen: T = st.session_state[key]
    st.session_state[_last(key)] = chosen
    publish({key: None if chosen == unwritten else write(chosen)})
    return chosen


def is_new(key: str) -> bool:
    """Whether the URL has a value that the page did not write there."""
    text = st.query_params.get(key)
    return text is not None and text != st.session_state.get(_written(key))


def last_value(key: str, first: Any = None) -> Any:
    """Return the last value of a control, on whichever page; ``first``, where it had none."""
    return st.session_state.get(key, st.session_state.get(_last(key), first))


def forget(keys: Iterable[str]) -> None:
    """Forget what was chosen in controls: all that the URL has is then new."""
    for key in keys:
        for name in (key, _last(key), _written(key)):
            st.session_state.pop(name, None)


def leave(keys: Sequence[str]) -> None:
    """Forget what was chosen in controls, in the URL as well."""
    forget(keys)
    _discard(keys)


def _last(key: str) -> str:
    return f"{key} on all pages"


def _written(key: str) -> str:
    return f"{key} in the URL"


def publish(values: Mapping[str, str | None]) -> None:
    """Write values into the URL, or remove those that are None."""
    collected = st.session_state.get(_COLLECTED)
    if collected is not None:
        collected.update(values)
        return
    st.session_state.update({_written(key): text for key, text in values.items()})
    removed = [key for key, text in values.items() if text is None and key in st.query_params]
    changed = {
        key: text
        for key, text in values.items()
        if text is not None and st.query_params.get_all(key) != [text]
    }
    if changed:
        _discard(removed)
        st.query_params.update(changed)
    else:
        for key in removed:
            del st.query_params[key]


def _discard(keys: Sequence[str]) -> None:
    """Remove values from the URL without a message to the browser: no entry of its history."""
    if (context := get_script_run_ctx()) is not None:
        with context.session_state.query_params() as parameters:
            for key in keys:
                parameters.discard_param_no_forward_msg(key)


@contextmanager
def in_one_step() -> Iterator[Mapping[str, str | None]]:
    """Write into the URL at the end, as one entry of the browser's history; yield what is."""
    collected: dict[str, str | None] = {}
    st.session_state[_COLLECTED] = collected
    try:
        yield collected
    finally:
        del st.session_state[_COLLECTED]
    publish(collected)


def choose_several(
    label: str,
    labels: Mapping[str, str],
    key: str,
    first: list[str],
    most: int,
    known: Collection[str],
) -> list[str]:
    """Choose some runs by their labels; their names are in the URL, unless they are the first.

    What the URL names and is not among those that are ``known`` is said on the page.
    """
    if is_restored() or is_new(key):
        wanted = filter(None, st.query_params.get(key, "").split(","))
        show_missing([name for name in wanted if name not in known])
    settings: Any = {"key": key, "max_selections": most, "format_func": labels.__getitem__}
    chosen = keep_in_url(
        lambda: st.multiselect(label, list(labels), **settings),
        key,
        first,
        lambda text: [name for name in text.split(",") if name in labels][:most],
        lambda names: set(names) <= set(labels),
        first,
        ",".join,
    )
    if chosen == first:  # there may be other first ones when the page is opened again
        del st.session_state[_last(key)]
    return chosen


def find_missing(key: str, labels: Mapping[str, str], among: str = "") -> str | None:
    """Return the name of a run in the URL that is not here, until another one is chosen.

    It stays so as long as the runs are chosen ``among`` the same ones.
    """
    state = f"{key} that is missing"
    if is_restored() or is_new(key):
        wanted = st.query_params.get(key)
    else:
        wanted = last_value(key)
        if st.session_state.get(state) != (among, wanted):
            wanted = None
    missing = None if wanted in labels else wanted
    st.session_state[state] = (among, missing)
    return missing


def with_missing(labels: Mapping[str, str], missing: str | None) -> dict[str, str]:
    """Return labels with one for a run that is missing, if any."""
    return ({} if missing is None else {missing: f"{missing[:SHOWN]} is not here"}) | dict(labels)


def show_missing(names: Sequence[str], others: int = 0) -> None:
    """Say that runs which a link names are not here, if any, and how many others are."""
    if not names:
        return
    which = "This run is" if len(names) == 1 else "These runs are"
    instead = f" {counted(others, 'other one is', 'others are')} here to choose from." * bool(
        others
    )
    st.warning(
        f"{which} not in this data folder. It may have been deleted, or made elsewhere.{instead}",
        icon=":material/link_off:",
    )
    st.code("\n".join(name[:SHOWN] for name in names), language=None)


def choose_option(
    control: Callable[..., Any],
    label: str,
    labels: Mapping[str, str],
    key: str,
    first: str | None = None,
    unwritten: str | None = None,
    **settings: Any,
) -> str:
    """Choose one by its label with a control such as ``st.selectbox``; see ``keep_in_url``.

    The first one is chosen at first and not written into the URL, if nothing else is said.
    """
    options = list(labels)
    settings |= {"key": key, "format_func": labels.__getitem__}
    return keep_in_url(
        lambda: control(label, options, **settings),
        key,
        first or options[0],
        str,
        lambda value: value in options,
        options[0] if unwritten is None else unwritten,
    )
