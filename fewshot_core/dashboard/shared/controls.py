"""Controls that several pages have."""

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fewshot_core.errors import FewshotError


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
        usual: What it is at first.
        least: The smallest that can be chosen.
        most: The largest.
        help: What more there is to say.
        place: The column to draw it in.
        disabled: Whether it does not count now.
    """
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


def offer_removal(what: str, key: str, names: Sequence[str], remove: Callable[[str], None]) -> None:
    """Offer to remove something that was imported.

    Args:
        what: What is removed.
        key: The same in one word, for the keys of the controls.
        names: What there is.
        remove: Removes one of them by its name.
    """
    with st.popover(f"Remove {what}", icon=":material/delete:"):
        chosen = st.selectbox(f"{key.capitalize()} to remove", names, key=f"{key}_to_remove")
        st.caption("The file it was imported from stays where it is.")
        if st.button("Remove", type="primary", key=f"remove_{key}"):
            try:
                remove(chosen)
            except (FewshotError, OSError) as error:
                st.error(str(error))
            else:
                st.rerun()
