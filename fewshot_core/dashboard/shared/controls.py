"""Controls and messages that several pages have."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.runs import Status

T = TypeVar("T")

_UPLOADS = "uploaded_files"


class show_errors(AbstractContextManager[None, bool]):
    """Context that shows a failure on the page instead of raising it.

    Args:
        prefix: Text before the message.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Show an expected error and suppress it; any other one passes."""
        if not isinstance(error, FewshotError | OSError):
            return False
        st.error(f"{self._prefix}{error}", icon=":material/error:")
        return True


def choose_count(
    label: str,
    key: str,
    usual: int,
    least: int = 0,
    most: int | None = None,
    help: str | None = None,
    place: DeltaGenerator | None = None,
    disabled: bool = False,
) -> int:
    """Choose a whole number, which stands in the URL.

    Args:
        label: What it is.
        key: Its name in the URL.
        usual: The default.
        least: The smallest that can be chosen.
        most: The largest.
        help: Help text.
        place: The column to draw it in.
        disabled: Whether it has no effect now.
    """
    drop_outside(key, least, most)
    draw = st.number_input if place is None else place.number_input
    return draw(
        label,
        min_value=least,
        max_value=most,
        value=usual,
        key=key,
        bind="query-params",
        help=help,
        disabled=disabled,
    )


def choose_one(
    label: str,
    options: Iterable[str],
    key: str,
    place: DeltaGenerator | None = None,
    session: bool = False,
    **settings: Any,
) -> str:
    """Choose one of a few options; the value is in the URL.

    Args:
        label: Its label.
        options: The options; the first is the default, unless ``default`` is another one.
        key: Its name in the URL.
        place: The column to draw it in.
        session: Keep the value in the session instead of the URL.
        settings: Further arguments of ``st.segmented_control``.
    """
    names = list(options)
    draw = st.segmented_control if place is None else place.segmented_control
    keep = {"persist_state": "session"} if session else {"bind": "query-params"}
    return str(
        draw(label, names, required=True, key=key, **{"default": names[0], **keep, **settings})
    )


def drop_outside(key: str, least: float, most: float | None) -> None:
    """Reset a number chosen earlier, for other data, that is out of range now.

    A text is left to Streamlit: another page has a control of that name.
    """
    value = st.session_state.get(key)
    if isinstance(value, int | float) and (value < least or (most is not None and value > most)):
        del st.session_state[key]


def stored_upload(uploaded: UploadedFile) -> Path:
    """Write an uploaded file to disk, once per upload, and return its path.

    A session keeps the file of its last upload only.
    """
    stored: dict[str, Path] = st.session_state.setdefault(_UPLOADS, {})
    if uploaded.file_id not in stored:
        for old in stored.values():
            shutil.rmtree(old.parent, ignore_errors=True)
        stored.clear()
        path = Path(tempfile.mkdtemp(prefix="fewshot-upload-")) / Path(uploaded.name).name
        path.write_bytes(uploaded.getbuffer())
        stored[uploaded.file_id] = path
    return stored[uploaded.file_id]


def show_progress(status: Status, details: Sequence[str] = ()) -> None:
    """Draw the progress of a run, with its message and the time it will still take."""
    left = status.seconds_left
    parts = [status.message, *([] if left is None else [f"{duration_text(left)} left"]), *details]
    share = min(1.0, status.done / status.total) if status.total else 0.0
    st.progress(share, " · ".join(parts))


def offer_removal(
    what: str,
    key: str,
    names: Sequence[T],
    remove: Callable[[T], object],
    label: Callable[[T], str] = str,
) -> None:
    """Offer to remove something that was imported.

    Args:
        what: What is removed, such as "a table".
        key: The same in one word, for the keys of the controls.
        names: The names to choose from.
        remove: Removes one of them by its name.
        label: How a name is shown.
    """
    with st.popover(f"Remove {what}", icon=":material/delete:"):
        title = f"{key.capitalize()} to remove"
        chosen = st.selectbox(title, names, key=f"{key}_to_remove", format_func=label)
        st.caption("The original files are not touched.")
        if st.button("Remove", type="primary", key=f"remove_{key}"):
            with show_errors():
                remove(chosen)
                st.rerun()
