"""Controls, tables and messages that several pages have."""

import mimetypes
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.column_config import NumberColumn
from streamlit.runtime.state import get_session_state
from streamlit.runtime.uploaded_file_manager import UploadedFile
from streamlit.typing import DataframeState

from fewshot_core.analysis.results import escape_latex, latex_table, markdown_table
from fewshot_core.errors import FewshotError, describe
from fewshot_core.registry import Registry
from fewshot_core.runs import RunFolder, Status, cancel, is_active
from fewshot_core.runs.estimate import duration_text
from fewshot_core.space import PERCENT

SEPARATOR = " · "
POLL_SECONDS = 1.0

T = TypeVar("T")

_UPLOADS = "uploaded_files"
_NOTICES = "notices"
_SHOWN_ROWS = 12
_FORMATS = {"md": "Markdown", "tex": "LaTeX", "py": "Python"}
_MARKDOWN = re.compile(r"[\\`*_~\[\]<>#$|&]")
_LATE = re.compile(
    r"^(?=([-+]|\d+[.)])([-\s]|$))|(?<=:)(?=\S)|(?<=@)(?=\w)|(?<=www)(?=\.)", re.IGNORECASE
)
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def plain(text: object) -> str:
    """Escape a text, such as the content of a file, that is shown where Markdown is rendered.

    A backslash does not keep Streamlit from making icons, emoji and links, nor Markdown from
    making lists: an invisible word joiner does. Characters that reverse what follows are removed.
    """
    line = " ".join(_DIRECTIONS.sub("", str(text)).split())
    return _LATE.sub("\u2060", _MARKDOWN.sub(r"\\\g<0>", line))


def notify(text: str, icon: str = ":material/check:") -> None:
    """Say something when the page is drawn next, also after ``st.rerun``; the text is Markdown."""
    st.session_state.setdefault(_NOTICES, []).append((text, icon))


def show_notices() -> None:
    """Show what was to be said."""
    for text, icon in st.session_state.pop(_NOTICES, []):
        st.toast(text, icon=icon, duration="long")


@contextmanager
def show_errors(prefix: str = "") -> Iterator[None]:
    """Show an expected failure, also an unreadable text, on the page instead of raising it."""
    try:
        yield
    except (FewshotError, OSError, UnicodeDecodeError) as error:
        st.error(f"{prefix}{plain(describe(error))}", icon=":material/error:")


def show_tabs(shows: Mapping[str, Callable[[], object]], key: str) -> None:
    """Draw tabs; only what the open one shows is computed, and its name is in the URL."""
    tabs = st.tabs(list(shows), key=key, bind="query-params")
    for tab, show in zip(tabs, shows.values(), strict=True):
        if tab.open:
            with tab:
                show()


def choose_number(
    label: str,
    key: str,
    usual: float | None,
    least: float = 0,
    most: float | None = None,
    place: Any = st,
    **settings: Any,
) -> Any:
    """Choose a number of the type of ``least``, in the URL; settings of ``st.number_input``."""
    drop_outside(key, least, most)
    # A value that the page has just set comes without a default: Streamlit warns of both.
    value = None if get_session_state().is_new_state_value(key) else usual
    settings |= {"value": value, "min_value": least, "max_value": most, "key": key}
    chosen = place.number_input(label, bind="query-params", **settings)
    return usual if chosen is None else chosen


def choose_one(
    label: str,
    options: Iterable[str],
    key: str,
    place: Any = st,
    session: bool = False,
    **settings: Any,
) -> str:
    """Choose one of a few options, by default the first; the value is in the URL or the session.

    Settings are those of ``st.segmented_control``. The help describes options that have texts.
    """
    names = list(options)
    if isinstance(options, Mapping) and "format_func" not in settings:
        settings.setdefault("help", listed(options))
    keep = {"persist_state": "session"} if session else {"bind": "query-params"}
    settings = {"default": names[0], **keep, **settings}
    return str(place.segmented_control(label, names, required=True, key=key, **settings))


def choose_from(
    label: str, labels: Mapping[str, str], key: str, place: Any = st, **settings: Any
) -> str:
    """Choose one of many by its label, by default in the URL; settings of ``st.selectbox``."""
    settings = {"bind": "query-params", "format_func": labels.__getitem__, **settings}
    return str(place.selectbox(label, list(labels), key=key, **settings))


def labels_of(registry: Registry[Any]) -> dict[str, str]:
    """Return the labels of all records by name."""
    return {info.name: info.label for info in registry}


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 search", "8 searches"."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def listed(texts: Mapping[str, str]) -> str:
    """List names with their texts."""
    return "; ".join(f"{name}: {text}" for name, text in texts.items())


def drop_outside(key: str, least: float, most: float | None) -> None:
    """Reset a number chosen earlier, for other data, that is out of range now.

    A text is left to Streamlit: another page has a control of that name.
    """
    value = st.session_state.get(key)
    if isinstance(value, int | float) and (value < least or (most is not None and value > most)):
        del st.session_state[key]


def show_table(
    frame: Any,
    alt: str,
    columns: Mapping[str, Any] | None = None,
    export: str = "",
    source: Sequence[str] = (),
    **settings: Any,
) -> Any:
    """Draw a table, with the configuration of some columns, and return what is selected in it.

    Settings are those of ``st.dataframe``. Where rows can be selected, a click anywhere in one
    selects it. A button exports the table as a file of the name ``export``, if there is one, with
    the ``source`` that its numbers rest on.
    """
    mode = str(settings.get("selection_mode", ""))
    if "row" in mode:
        settings["selection_mode"] = [mode, "single-cell"]
        then = settings.get("on_select")
        settings["on_select"] = partial(_select_row, settings["key"], then)
    settings |= {"hide_index": True, "placeholder": "-", "alt": alt, "column_config": columns}
    if not export:
        return st.dataframe(frame, **settings)
    with st.container(key=f"figure_table_{export}"):
        answer = st.dataframe(frame, **settings)
        label, icon = "Export this table", ":material/ios_share:"
        if st.button(label, f"export_table_{export}", label, type="tertiary", icon=icon):
            shown = frame[[*settings.get("column_order", frame.columns)]]
            _show_export(shown, alt, columns or {}, export, source)
    return answer


@st.dialog("Export", width="medium", icon=":material/ios_share:")
def _show_export(
    frame: pd.DataFrame, alt: str, columns: Mapping[str, Any], name: str, source: Sequence[str]
) -> None:
    """Offer a table as CSV, and as Markdown and LaTeX with the digits that it shows."""
    texts = _shown_texts(frame, columns)
    notes = [f"{'; '.join(source)}."] if source else []
    escaped = texts.map(escape_latex).rename(columns=escape_latex)
    latex = latex_table(escaped, escape_latex(alt), name.replace("_", "-"), notes)
    text = texts.map(_escape_cell).rename(columns=_escape_cell)
    markdown = "\n".join([markdown_table(text), *map(_escape_cell, notes), ""])
    csv = partial(frame.to_csv, index=False, float_format="%.8g")
    offer_exports(name, {"csv": csv, "md": markdown, "tex": latex})
    st.code(latex, language=None, height=300)


def _escape_cell(text: str) -> str:
    """Escape a text for a file of Markdown; ``markdown_table`` escapes what ends a cell."""
    return re.sub(r"[\\`*_\[\]<>]", r"\\\g<0>", " ".join(text.split()))


def _shown_texts(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return the headings and cells of a table as texts, as they are shown."""
    found = {}
    for name, values in frame.items():
        config = columns.get(str(name)) or {}
        form = (config.get("type_config") or {}).get("format")
        found[config.get("label") or name] = [_shown_text(value, form) for value in values]
    return pd.DataFrame(found)


def _shown_text(value: Any, form: str | None) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if value is None or pd.isna(value):
        return "-"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | float | np.number):
        if form and "%" in form:
            return form % value
        return f"{value:,}" if form == "localized" else f"{value:.6g}"
    return str(value)


def _select_row(key: str, then: object) -> None:
    """Select the row of the cell that was clicked, if any; then do what a selection does.

    The cell stays selected: arrow keys go on from there.
    """
    cells, last = list(st.session_state[key].selection.cells), f"{key} cell"
    if cells and cells != st.session_state.get(last):  # else the box of a row was clicked
        st.session_state[key] = selected_rows([cells[0][0]], cells)
    st.session_state[last] = cells
    if callable(then):
        then()


def show_columns(columns: Mapping[str, Any], alt: str, **settings: Any) -> Any:
    """Draw a table of columns, each its values or a pair of its values and its configuration."""
    pairs = {name: c for name, c in columns.items() if isinstance(c, tuple)}
    frame = pd.DataFrame(dict(columns) | {name: values for name, (values, _) in pairs.items()})
    return show_table(frame, alt, {name: config for name, (_, config) in pairs.items()}, **settings)


def numbers(form: str, text: str = "", width: int | None = None, label: str | None = None) -> Any:
    """Configure a column of numbers: their format, a help text and a width in pixels."""
    return NumberColumn(label, format=form, help=plain(text) or None, width=width)


def score_numbers(text: str, unit: str, width: int | None = None) -> Any:
    """Configure a column of scores in a unit, with a help text."""
    return numbers("%.2f%%" if unit == PERCENT else "%.4g", f"{text}, in {unit}", width)


def table_height(rows: int) -> int | str:
    """Return the height of a table that scrolls only where it has many rows."""
    return "content" if rows <= _SHOWN_ROWS else 38 + 35 * _SHOWN_ROWS


def selected_rows(rows: Iterable[int], cells: Sequence[tuple[int, str]] = ()) -> Any:
    """Return the state of a table in which some rows are selected."""
    chosen = {"rows": list(rows), "columns": [], "cells": list(cells)}
    return DataframeState({"selection": chosen})


def show_tiles(tiles: Mapping[str, tuple[Any, str | None]], columns: int | None = None) -> None:
    """Show numbers by their labels, each with a help text, in columns or one beside the other."""
    row = st.columns(columns) if columns else [st.container(horizontal=True, gap="medium")]
    for (label, (value, text)), place in zip(tiles.items(), cycle(row), strict=False):
        settings: Any = {"help": text and plain(text), "width": "stretch" if columns else "content"}
        place.metric(label, plain(value), **settings)


def offer_download(label: str, data: Any, name: str, key: str, **settings: Any) -> None:
    """Offer a file of this name; ``data`` is its content, or makes it when it is wanted."""
    kind = mimetypes.guess_type(name)[0]
    st.download_button(label, data, name, kind, key=key, on_click="ignore", **settings)


def offer_exports(name: str, contents: Mapping[str, Any]) -> None:
    """Offer files of one name by their suffixes; one without a content is disabled."""
    with st.container(horizontal=True):
        for suffix, data in contents.items():
            label = _FORMATS.get(suffix, suffix.upper())
            look = {"icon": ":material/download:", "disabled": data is None}
            offer_download(label, data or "", f"{name}.{suffix}", f"export_{suffix}", **look)


def offer_start(label: str, key: str, disabled: bool, **settings: Any) -> bool:
    """Draw a button that starts something; return whether it was clicked."""
    icon = ":material/play_arrow:"
    return st.button(label, key, icon=icon, disabled=disabled, width="stretch", **settings)


def stored_uploads(files: Sequence[UploadedFile]) -> list[Path]:
    """Write uploaded files to disk, once per upload, and return their paths.

    A session keeps the files of its last upload only; their folders are removed with it.
    """
    stored: dict[str, TemporaryDirectory[str]] = st.session_state.setdefault(_UPLOADS, {})
    for name in stored.keys() - {file.file_id for file in files}:
        stored.pop(name).cleanup()
    paths = []
    for file in files:
        if file.file_id not in stored:
            folder = TemporaryDirectory(prefix="fewshot-upload-", ignore_cleanup_errors=True)
            Path(folder.name, Path(file.name).name).write_bytes(file.getbuffer())
            stored[file.file_id] = folder
        paths.append(Path(stored[file.file_id].name, Path(file.name).name))
    return paths


def show_progress(status: Status, details: Sequence[str] = ()) -> None:
    """Draw the progress of a run, with its message and the time it will still take."""
    left = status.seconds_left
    parts = [
        plain(status.message),
        *([] if left is None else [f"{duration_text(left)} left"]),
        *details,
    ]
    share = min(1.0, status.done / status.total) if status.total else 0.0
    st.progress(share, SEPARATOR.join(parts))


@st.fragment(run_every=POLL_SECONDS)
def show_running(
    folder: RunFolder,
    title: str,
    details: Callable[[RunFolder], Sequence[str]],
) -> None:
    """Show the progress of a run with some details until it ends."""
    if not is_active(folder):
        st.rerun()
    with st.container(border=True):
        heading, button = st.columns([5, 1], vertical_alignment="center")
        heading.markdown(title)
        if button.button("Cancel", key=f"cancel_{folder.run_id}", icon=":material/cancel:"):
            with show_errors():
                cancel(folder)
                st.rerun()
        show_progress(folder.status(), details(folder))


def show_log(text: str, **settings: Any) -> None:
    """Show the end of a run's log."""
    st.code(text or "the log is empty", language=None, **settings)


def offer_removal(
    what: str,
    key: str,
    names: Sequence[T],
    remove: Callable[[T], object],
    label: Callable[[T], str] = str,
) -> None:
    """Offer to remove ``what`` was imported; ``key`` is the same in one word."""
    with st.popover(f"Remove {what}", icon=":material/delete:"):
        title = f"{key.capitalize()} to remove"
        chosen = st.selectbox(title, names, key=f"{key}_to_remove", format_func=label)
        st.caption("The original files are not touched.")
        if st.button("Remove", type="primary", key=f"remove_{key}"):
            with show_errors():
                remove(chosen)
                notify(f"Removed {plain(label(chosen))}", ":material/delete:")
                st.rerun()
