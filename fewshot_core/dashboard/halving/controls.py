"""Which selection is replayed: its controls, which stand in the URL."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from fewshot_core.dashboard.shared.controls import choose_count
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


@dataclass(frozen=True)
class _Handles:
    """The sliders that are on the page.

    Attributes:
        number: Which ones they are: others have other keys.
        first: The milestones they were drawn with.
        epochs: Where they can be.
        milestones: Where they are.
    """

    number: int
    first: tuple[int, ...]
    epochs: list[int]
    milestones: tuple[int, ...]

    def key(self, at: int) -> str:
        """Return the key of the slider that begins with a milestone."""
        return f"{_HANDLES}_{self.number}_{at}"


def choose_end(curves: Curves) -> int:
    """Choose the epoch at which a full run ends; the last one by default."""
    _forget_outside("end", 1, curves.end)
    chosen = st.number_input(
        "A full run ends at epoch",
        min_value=1,
        max_value=curves.end,
        value=None,
        placeholder=str(curves.end),
        key="end",
        bind="query-params",
        help="Empty: the last epoch of the curves.",
    )
    return curves.end if chosen is None else int(chosen)


def choose_selection(curves: Curves, end: int) -> Choice:
    """Choose a strategy and the settings that count for it.

    Raises:
        SelectionError: If the milestones that were typed are none.
    """
    strategy = st.selectbox(
        "Strategy",
        STRATEGIES.names(),
        key="strategy",
        bind="query-params",
        format_func=lambda name: STRATEGIES.get(name).label,
    )
    st.caption(STRATEGIES.get(strategy).description)
    if strategy == "halving":
        return _choose_halving(curves, end)
    if strategy == "top_k":
        return _choose_top_k(curves, end)
    return Choice(strategy)


def _choose_halving(curves: Curves, end: int) -> Choice:
    milestones = _type_milestones(curves, end)
    keep = st.number_input(
        "Share kept at each",
        min_value=0.05,
        max_value=1.0,
        value=0.5,
        step=0.05,
        key="keep",
        bind="query-params",
        help="Rounded up to whole sub-supernets, at least one; 0.5 in the paper.",
    )
    rank_by, window = _choose_ranking(curves)
    return Choice("halving", milestones, float(keep), rank_by=rank_by, window=window)


def _choose_top_k(curves: Curves, end: int) -> Choice:
    living, last = len(curves.sub_spaces), max(end - 1, 0)
    _forget_outside("k", 1, living)
    _forget_outside("at", 0, last)
    k = choose_count("How many go on", "k", usual=1, least=1, most=living)
    epoch = choose_count(
        "Chosen at epoch",
        "at",
        usual=min(int(curves.epochs[0]), last),
        most=last,
        help="At epoch 0 the weights are those copied from the supernet.",
    )
    rank_by, window = _choose_ranking(curves)
    return Choice("top_k", k=k, epoch=epoch, rank_by=rank_by, window=window)


def drag_milestones(curves: Curves, end: int, milestones: Sequence[int]) -> None:
    """Draw the milestones as handles, two on a line, that can be dragged."""
    epochs = [int(epoch) for epoch in curves.epochs if epoch < end]
    if not milestones or not set(milestones) <= set(epochs) or len(epochs) < 2:
        return
    handles = st.session_state.get(_HANDLES)
    if handles is None or (handles.milestones, handles.epochs) != (tuple(milestones), epochs):
        # New sliders: one that is there keeps what it shows, whatever it is told.
        number = 0 if handles is None else handles.number + 1
        handles = _Handles(number, tuple(milestones), epochs, tuple(milestones))
        st.session_state[_HANDLES] = handles
    for at in range(0, len(handles.first), 2):
        pair = handles.first[at : at + 2]
        st.select_slider(
            "Milestones" if len(pair) > 1 else "Milestone",
            epochs,
            value=pair if len(pair) > 1 else pair[0],
            key=handles.key(at),
            on_change=_take_handles,
            help="Drag a handle, or move it with the arrow keys.",
        )


def load_choice(choice: Choice) -> None:
    """Set the controls to a choice; to be called before they are drawn."""
    state = st.session_state
    state["strategy"] = choice.strategy
    if choice.strategy == "halving":
        state[_MILESTONES] = ", ".join(map(str, choice.milestones)) or "none"
        state["keep"] = choice.keep
    if choice.strategy == "top_k":
        state["k"], state["at"] = choice.k, choice.epoch
    if choice.strategy in ("halving", "top_k"):
        state["rank_by"] = choice.rank_by
        if choice.rank_by == "moving_average":
            state["window"] = choice.window


def _type_milestones(curves: Curves, end: int) -> tuple[int, ...]:
    usual = paper_milestones(curves, end)
    text = st.text_input(
        "Milestones",
        key=_MILESTONES,
        bind="query-params",
        placeholder=", ".join(map(str, usual)) or "none",
        help="Epochs at which sub-supernets are discarded, like 30, 100; or none. Empty: the "
        "paper's 30 and 100 of 600 epochs, in proportion to the end.",
    )
    return parse_milestones(text) if text.strip() else usual


def _choose_ranking(curves: Curves) -> tuple[str, int]:
    names = [ranking.name for ranking in RANKINGS if ranking.column in curves.values]
    rank_by = st.selectbox(
        "Ranked by",
        names,
        key="rank_by",
        bind="query-params",
        format_func=lambda name: RANKINGS.get(name).label,
        help="; ".join(
            f"{RANKINGS.get(name).label}: {RANKINGS.get(name).description}" for name in names
        ),
    )
    if rank_by != "moving_average":
        return rank_by, DEFAULT_WINDOW
    return rank_by, choose_count("Epochs of the average", "window", usual=DEFAULT_WINDOW, least=1)


def _forget_outside(key: str, low: int, high: int) -> None:
    """Drop what a control showed for other curves, where it cannot be shown for these."""
    value = st.session_state.get(key)
    if value is not None and not low <= value <= high:
        del st.session_state[key]


def _take_handles() -> None:
    """Write where the handles are into the field of the milestones."""
    handles = st.session_state[_HANDLES]
    chosen: list[int] = []
    for at in range(0, len(handles.first), 2):
        value = st.session_state[handles.key(at)]
        chosen += value if isinstance(value, tuple | list) else [value]
    milestones = tuple(sorted(chosen))
    st.session_state[_HANDLES] = replace(handles, milestones=milestones)
    st.session_state[_MILESTONES] = ", ".join(map(str, sorted(set(chosen))))
