"""Controls of the selection that is replayed; the URL holds them."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from fewshot_core.dashboard.shared.controls import choose_from, choose_number, labels_of, listed
from fewshot_core.selection import (
    DEFAULT_WINDOW,
    RANKINGS,
    STRATEGIES,
    Choice,
    Curves,
    paper_milestones,
    parse_milestones,
)

_MILESTONES = "milestones"
_HANDLES = "milestone_handles"


def choose_end(curves: Curves) -> int:
    """Choose the epoch at which a full run ends; the last one by default."""
    last = curves.end
    settings = {"placeholder": str(last), "help": "Default: the last epoch of the curves."}
    chosen = choose_number("A full run ends at epoch", "end", None, 1, last, **settings)
    return last if chosen is None else int(chosen)


def choose_selection(curves: Curves, end: int) -> Choice:
    """Choose a strategy and its settings.

    Raises:
        SelectionError: If the milestones that were typed are not valid.
    """
    strategy = choose_from("Strategy", labels_of(STRATEGIES), "strategy")
    st.caption(STRATEGIES.get(strategy).description)
    if strategy == "halving":
        return _choose_halving(curves, end)
    if strategy == "top_k":
        return _choose_top_k(curves, end)
    return Choice(strategy)


def _choose_halving(curves: Curves, end: int) -> Choice:
    usual = paper_milestones(curves, end)
    text = st.text_input(
        "Milestones",
        key=_MILESTONES,
        bind="query-params",
        placeholder=_listed(usual),
        help="Epochs at which sub-supernets are discarded, such as 30, 100; or none. Default: "
        "30 and 100 of 600 epochs as in the paper, in proportion to the end.",
    )
    milestones = parse_milestones(text) if text.strip() else usual
    help_text = "Rounded up to whole sub-supernets, at least one; 0.5 in the paper."
    settings = {"step": 0.05, "help": help_text}
    keep = choose_number("Share kept at each", "keep", 0.5, 0.05, 1.0, **settings)
    rank_by, window = _choose_ranking(curves)
    return Choice("halving", milestones, float(keep), rank_by=rank_by, window=window)


def _choose_top_k(curves: Curves, end: int) -> Choice:
    last = max(end - 1, 0)
    k = choose_number("Number kept (k)", "k", 1, 1, len(curves.sub_spaces))
    text = "At epoch 0 the weights are those copied from the supernet."
    usual = min(int(curves.epochs[0]), last)
    epoch = choose_number("Selected at epoch", "at", usual, 0, last, help=text)
    rank_by, window = _choose_ranking(curves)
    return Choice("top_k", k=k, epoch=epoch, rank_by=rank_by, window=window)


def _choose_ranking(curves: Curves) -> tuple[str, int]:
    known = [ranking for ranking in RANKINGS if ranking.column in curves.values]
    labels = {ranking.name: ranking.label for ranking in known}
    text = listed({ranking.label: ranking.description for ranking in known})
    rank_by = choose_from("Ranked by", labels, "rank_by", help=text)
    if rank_by != "moving_average":
        return rank_by, DEFAULT_WINDOW
    return rank_by, int(choose_number("Epochs of the average", "window", DEFAULT_WINDOW, 1))


def drag_milestones(curves: Curves, end: int, milestones: Sequence[int]) -> None:
    """Draw the milestones as slider handles, two on a slider."""
    epochs = [int(epoch) for epoch in curves.epochs if epoch < end]
    if not milestones or not set(milestones) <= set(epochs) or len(epochs) < 2:
        return
    number, first, handles = st.session_state.get(_HANDLES, (0, (), ()))
    if sorted(set(handles)) != sorted(milestones):  # typed: a drawn slider would ignore a new value
        number, first, handles = number + 1, tuple(milestones), tuple(milestones)
        st.session_state[_HANDLES] = number, first, handles
    keys = {f"{_HANDLES}_{number}_{at}": first[at : at + 2] for at in range(0, len(first), 2)}
    for key, pair in keys.items():
        st.select_slider(
            "Milestones" if len(pair) > 1 else "Milestone",
            epochs,
            value=pair if len(pair) > 1 else pair[0],
            key=key,
            on_change=_take_handles,
            args=(list(keys),),
            help="Drag a handle, or move it with the arrow keys.",
        )


def _take_handles(keys: Sequence[str]) -> None:
    """Write where the handles are into the field of the milestones."""
    handles: list[int] = []
    for key in keys:
        value = st.session_state[key]
        handles += value if isinstance(value, tuple | list) else [value]
    number, first, _ = st.session_state[_HANDLES]
    st.session_state[_HANDLES] = number, first, tuple(handles)
    st.session_state[_MILESTONES] = _listed(sorted(set(handles)))


def settings_of(choice: Choice) -> dict[str, Any]:
    """Return the settings of a choice that its strategy uses."""
    names = {"halving": ["milestones", "keep"], "top_k": ["k", "epoch"]}.get(choice.strategy, [])
    if names:
        names += ["rank_by", *(["window"] if choice.rank_by == "moving_average" else [])]
    return {name: getattr(choice, name) for name in names}


def load_choice(choice: Choice) -> None:
    """Set the controls to a choice; to be called before they are drawn."""
    st.session_state["strategy"] = choice.strategy
    for name, value in settings_of(choice).items():
        key = "at" if name == "epoch" else name
        st.session_state[key] = _listed(value) if name == "milestones" else value


def _listed(milestones: Sequence[int]) -> str:
    return ", ".join(map(str, milestones)) or "none"
