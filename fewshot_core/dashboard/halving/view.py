"""The Halving page: replay, verdict and comparison of selections, and their controls.

Results and figures are cached by the curves they are of, and must not be changed.
"""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.column_config import CheckboxColumn, TextColumn

from fewshot_core.dashboard.halving.curves import (
    JUST_IMPORTED,
    CurvesInView,
    list_curves,
    open_curves_in_view,
    show_curve_files,
)
from fewshot_core.dashboard.shared.controls import (
    choose_from,
    choose_number,
    drop_outside,
    labels_of,
    listed,
    numbers,
    plain,
    score_numbers,
    selected_rows,
    show_columns,
    show_errors,
    show_tiles,
)
from fewshot_core.dashboard.shared.figures import cached_figure, clicked, show_figure, show_source
from fewshot_core.dashboard.shared.glossary import explain
from fewshot_core.dashboard.shared.page import ESTIMATES, SEARCH, link_to, show_empty
from fewshot_core.dashboard.shared.sidebar import (
    View,
    open_page,
    show_missing_table,
    show_no_supernets,
    without_supernet,
)
from fewshot_core.dashboard.shared.url import (
    choose_option,
    find_missing,
    keep_in_url,
    show_missing,
    with_missing,
)
from fewshot_core.errors import SelectionError
from fewshot_core.plots import (
    alternative,
    cursor_stops,
    proxy_figure,
    replay_figure,
    schedules_figure,
    search_curves_figure,
)
from fewshot_core.plots.search import LEADER_COLOUR
from fewshot_core.plots.template import positions_of, sub_space_look
from fewshot_core.selection import (
    DEFAULT_WINDOW,
    RANKINGS,
    STRATEGIES,
    Choice,
    Curves,
    HalvingResult,
    cost_text,
    default_choices,
    describe_milestones,
    describe_proxy,
    gaps_text,
    leaders,
    paper_milestones,
    parse_milestones,
    proxy_correlation,
    regret_text,
    schedule_grid,
    verdict,
)
from fewshot_core.space import PERCENT, score_text

_CHART, _TABLE = "schedules_chart", "schedules_table"
_CACHED = 64

_draw_searches = cached_figure(search_curves_figure)
_select = lru_cache(_CACHED)(Choice.apply)
_MILESTONES = "milestones"
_HANDLES = "milestone_handles"
_EPOCH, _PLAYING = "epoch", "halving_is_played"
_STEP_SECONDS = 0.4


def show_halving_page() -> None:
    """Draw the page: curves with a selection applied, and the import of curves."""
    view = open_page("Halving")
    labels = list_curves(view)
    missing = find_missing("curves", labels, view.split.key if view.split else "")
    if labels or missing:
        left, right = st.columns([3, 1], gap="large")
        curves = None
        with left, show_errors():
            curves = _choose_curves(view, labels, missing)
        if curves is not None:
            with right:
                seed = _choose_seed(curves)
            _show_missing(curves, seed)
            _show_limited(view, curves.tables[seed])
            _show_selection(view, curves, seed)
            return
    elif view.split is not None and view.split.is_partition:
        show_no_supernets(view.split)
    elif not view.has_supernet:
        st.info(without_supernet(view), icon=":material/info:")
    elif view.table is None:
        show_missing_table(view)
    else:
        show_empty(
            "**No curves yet.** This page shows which sub-supernet a selection by validation "
            "accuracy would have chosen, at what cost and with what regret. It needs a search in "
            "every sub-space of the split in view, or curves from elsewhere, as a CSV file: see "
            "*Import curves* below.",
            SEARCH,
            "Search in every sub-space",
        )
    st.subheader("Import curves")
    show_curve_files(view)


def _choose_curves(
    view: View, labels: Mapping[str, str], missing: str | None
) -> CurvesInView | None:
    wanted = st.session_state.pop(JUST_IMPORTED, None)
    if wanted in labels:
        st.session_state["curves"] = wanted
    names = with_missing(labels, missing)
    chosen = choose_option(st.selectbox, "Curves", names, "curves", unwritten="")
    if chosen == missing:
        show_missing([chosen], len(labels))
        return None
    return open_curves_in_view(view, chosen, labels[chosen])


def _choose_seed(curves: CurvesInView) -> int:
    seeds = list(curves.tables)
    if len(seeds) == 1:
        return seeds[0]
    return keep_in_url(
        lambda: st.segmented_control("Seed", seeds, required=True, key="seed"),
        "seed",
        seeds[0],
        int,
        lambda value: value in seeds,
        seeds[0],
    )


def _show_missing(curves: CurvesInView, seed: int) -> None:
    missing = curves.missing.get(seed, ())
    if missing:
        there = len(curves.tables[seed].sub_spaces)
        st.warning(
            f"{there} of {there + len(missing)} sub-spaces were searched with seed {seed}: "
            f"{plain(', '.join(missing))} are missing, and the best may be in one of them.",
            icon=":material/hourglass_bottom:",
        )
        link_to(SEARCH, "Search in the others")
    if gaps := gaps_text(curves.tables[seed]):
        st.warning(f"Epochs are missing: {plain(gaps)}.", icon=":material/timeline:")


def _show_limited(view: View, table: Curves) -> None:
    """Say what the limit of the cost means for a selection among curves."""
    if view.limit is None:
        return
    if table.feasible is None:
        text = "These curves do not record the architectures that were found: no limit applies."
    else:
        beyond = len(table.sub_spaces) - int(table.feasible_at(table.end).sum())
        text = (
            f"{beyond} of {len(table.sub_spaces)} sub-supernets find an architecture beyond the "
            "limit in the end: infeasible, without an accuracy, it ranks below all feasible ones."
        )
    st.caption(f":material/filter_alt: {text}")


@st.fragment
def _show_selection(view: View, curves: CurvesInView, seed: int) -> None:
    """Show the verdict, and the open tab: what it computes is computed only there."""
    table, answer = curves.tables[seed], st.container()
    names = ["Replay", "Proxy quality", "Schedules", "Import curves"]
    replay, proxy, schedules, files = st.tabs(names, key="halving_tab", bind="query-params")
    with replay:
        picture, rail = st.columns([3, 1], gap="large")
    with files:
        show_curve_files(view)
    with rail:
        try:
            end = _choose_end(table)
            choice = _choose_selection(table, end)
            result = _select(choice, table, end)
        except SelectionError as error:
            answer.error(plain(error), icon=":material/error:")
            with picture:
                figure = _draw_searches(table, curves.found_title)
                show_figure(figure, "halving_searches", source=curves.source)
            return
        if choice.strategy == "halving":
            _drag_milestones(table, end, result.milestones)
            st.caption(plain(f"{describe_milestones(table, result)}.".capitalize()))
    with answer:
        _show_verdict(curves, table, choice, result)
    if replay.open:
        with picture:
            every = _STEP_SECONDS if st.session_state.get(_PLAYING) else None
            st.fragment(_show_replay, run_every=every)(curves, table, choice, end)
            parts = [*curves.source, f"seed {seed}"]
            show_source(parts, _command(curves, seed, choice, end), "halving_source")
    if proxy.open:
        with proxy:
            _show_proxy(curves, end, result.milestones)
    if schedules.open:
        with schedules:
            _show_schedules(curves, choice, end)


def _show_replay(curves: CurvesInView, table: Curves, choice: Choice, end: int) -> None:
    """Draw the replay, its table, and the epoch that both show; played, it moves on by itself."""
    result = _select(choice, table, end)
    stops = cursor_stops(table, result)
    playing = bool(st.session_state.get(_PLAYING))
    if playing:
        later = [stop for stop in stops if stop > st.session_state.get(_EPOCH, stops[0])]
        st.session_state[_EPOCH] = later[0] if later else stops[-1]
        if not later:
            _play(stops)
            st.rerun()
    figure = st.container()
    button, slider = st.columns([1, 5], vertical_alignment="bottom")
    label = "Pause" if playing else "Play"
    icon = ":material/pause:" if playing else ":material/play_arrow:"
    # By a callback: where it pauses, the replay must not move on first.
    if button.button(label, key="play", icon=icon, width="stretch", on_click=_play, args=(stops,)):
        st.rerun()
    drop_outside(_EPOCH, stops[0], end)
    epoch = stops[0]
    if epoch < end:
        # Not in the URL while it is played: every step would be an entry of the browser's history.
        settings: Any = {"key": _EPOCH} | ({} if playing else {"bind": "query-params"})
        epoch = slider.slider("Epoch", epoch, end, **settings)
    with figure:
        drawn = _draw_replay(table, choice, end, epoch, curves.found_title)
        show_figure(drawn, "halving_replay", source=curves.source)
    _show_epoch(table, choice, end, epoch, curves.source)


def _play(stops: Sequence[int]) -> None:
    """Play or pause the replay; at its end it begins again."""
    st.session_state[_PLAYING] = not st.session_state.get(_PLAYING)
    if st.session_state[_PLAYING] and st.session_state.get(_EPOCH) == stops[-1]:
        st.session_state[_EPOCH] = stops[0]


@cached_figure
def _draw_replay(
    curves: Curves, choice: Choice, end: int, cursor: int | None, found_axis: str
) -> go.Figure:
    return replay_figure(curves, _select(choice, curves, end), cursor, found_axis)


def _show_verdict(
    compared: CurvesInView, curves: Curves, choice: Choice, result: HalvingResult
) -> None:
    """Write how good the proxy is, the verdict, its numbers, ties, and who was left when."""
    with suppress(SelectionError):  # a single sub-space
        known = _correlation(compared, result.end)
        text = describe_proxy(known, [*result.milestones, result.end])
        st.markdown(f"**Is the proxy any good?** {text}")
    sentence, *ties = verdict(result).split(" At ", 1)
    st.markdown(f"**{plain(sentence)}**", help=explain("milestone", "regret", "cost", "proxy"))
    if ties:
        st.warning(f"At {plain(ties[0])}", icon=":material/balance:")
    best = f"Best of all sub-supernets: {', '.join(result.equally_best)}"
    costs = (
        f"{result.cost:.4g} times the epochs of one full run, {result.end}; training all costs "
        f"{len(result.sub_spaces)} runs"
    )
    unit = result.unit
    tiles = {
        "Selected": (
            score_text(result.test_accuracy, unit),
            "Accuracy of the selected architecture",
        ),
        "Best found": (score_text(result.ceiling, unit), best),
        "Regret": (regret_text(result.regret, unit), "Best found minus selected"),
        "Cost": (cost_text(result.cost), costs),
    }
    show_tiles(tiles)
    if result.winner is not None:
        st.html(_strip(curves, result, _leaders(curves, choice, result.end)))


def _strip(curves: Curves, result: HalvingResult, lead: pd.DataFrame) -> str:
    """Draw who was left after each milestone as HTML: the discarded faded, the leader framed."""
    looks = [sub_space_look(position) for position in positions_of(curves.sub_spaces)]
    ahead = lead.set_index("epoch")["sub_space"].to_dict()
    rows = []
    for epoch, left in {int(curves.epochs[0]): curves.sub_spaces, **result.survivors}.items():
        chips = [
            f'<span style="padding:0 .35em;display:inline-block;max-width:16em;overflow:hidden;'
            "white-space:nowrap;text-overflow:ellipsis;vertical-align:bottom;"
            f"opacity:{1 if name in left else 0.3};"
            f"outline:{'2px' if ahead.get(epoch) == name and name in left else '0'} solid "
            f'{LEADER_COLOUR}"><b style="color:{look.colour}">■</b> {escape(name)}</span>'
            for name, look in zip(curves.sub_spaces, looks, strict=True)
        ]
        what = f"epoch {epoch}: {len(left)} left"
        rows.append(f'<div style="padding:.15em 1.5em .15em 0">{what} {" ".join(chips)}</div>')
    rows.append("frame: leader by validation accuracy among those left")
    return f'<div style="display:flex;flex-wrap:wrap;font-size:.85rem">{"".join(rows)}</div>'


def _command(curves: CurvesInView, seed: int, choice: Choice, end: int) -> str:
    command = f"fewshot halve {curves.option} --seed {seed} --strategy {choice.strategy}"
    for name, value in _settings_of(choice).items():
        if name == "milestones":
            value = ",".join(map(str, value)) or "none"
        elif name == "keep":
            value = f"{value:g}"
        command += f" --{name.replace('_', '-')} {value}"
    return f"{command} --end {end}"


def _show_epoch(
    curves: Curves, choice: Choice, end: int, epoch: int, source: Sequence[str]
) -> None:
    found = np.flatnonzero(curves.epochs == epoch)
    if not found.size:
        st.caption(f"Nothing was recorded at epoch {epoch}.")
        return
    result, lead = _select(choice, curves, end), _leaders(curves, choice, end)
    leading, names = lead[lead["epoch"] == epoch]["sub_space"].tolist(), curves.sub_spaces
    states = [_state(result, name, epoch) + ", leads" * (name in leading) for name in names]
    leads = "Among those left, the one with the best validation accuracy leads"
    at = found[0]
    show_columns(
        {
            "sub-space": (list(names), TextColumn(width=70)),
            "validation": (
                curves.values["valid_accuracy"][:, at],
                score_numbers("Validation accuracy of the supernet", curves.valid_unit, 75),
            ),
            "would find": (
                curves.values["test_accuracy"][:, at],
                score_numbers("Accuracy of the architecture it would return", curves.unit, 75),
            ),
            "state": (states, TextColumn(help=leads)),
        },
        f"The sub-supernets at epoch {epoch}",
        export="halving_epoch",
        source=source,
        row_height=28,
    )


@lru_cache(_CACHED)
def _leaders(curves: Curves, choice: Choice, end: int) -> pd.DataFrame:
    result = _select(choice, curves, end)
    return leaders(curves, result.trained if result.winner else None)


def _state(result: HalvingResult, name: str, epoch: int) -> str:
    last = result.trained.get(name)
    if result.winner is None:
        return "equally likely"
    if last is None:
        return "not trained"
    if last < epoch:
        return f"discarded at {last}"
    if epoch >= result.end:
        return "selected" if name == result.winner else "not selected"
    return "discarded here" if last == epoch and name != result.winner else "continues"


def _show_schedules(curves: CurvesInView, choice: Choice, end: int) -> None:
    """Draw cost against regret of many schedules; one that is clicked is replayed."""
    try:
        with st.spinner("Comparing schedules"):
            grid = _schedules(curves, end)
    except SelectionError as error:
        st.caption(f"Schedules cannot be compared: {plain(error)}")
        return
    rows = grid.to_dict("records")
    replayed = next((at for at, row in enumerate(rows) if Choice.from_row(row) == choice), None)
    figure = _draw_schedules(curves, end, replayed)
    show_figure(figure, _CHART, on_select=partial(_load_point, rows), source=curves.source)
    _show_table(grid, replayed, curves)
    _show_compared_source(curves, end, "halving_schedules_source", grid)


@lru_cache(maxsize=_CACHED)
def _schedules(curves: CurvesInView, end: int) -> pd.DataFrame:
    return schedule_grid(curves.compared, default_choices(curves.compared, end), end)


@cached_figure
def _draw_schedules(curves: CurvesInView, end: int, selected: int | None) -> go.Figure:
    return schedules_figure(_schedules(curves, end), selected, curves.unit)


def _show_table(grid: pd.DataFrame, replayed: int | None, curves: CurvesInView) -> None:
    unit = curves.unit
    order = grid.assign(unnamed=grid["mark"] == "").sort_values(
        ["unnamed", "cost", "regret"], kind="stable"
    )
    chosen = [] if replayed is None else [list(order.index).index(replayed)]
    st.session_state[_TABLE] = selected_rows(chosen)
    form = "%.2f" if unit == PERCENT else "%.4g"
    below = "Percentage points" if unit == PERCENT else unit
    regret = f"{below} below the best, mean over seeds"
    discarded = 100 * order["best_discarded"]
    show_columns(
        {
            "strategy": (order["label"], TextColumn(width=235)),
            "known as": (order["mark"], TextColumn(width=75)),
            "cost": (order["cost"], numbers("%.2f", "Full runs", 55)),
            "regret": (order["regret"], numbers(form, regret, 60)),
            "finds": (order["test_accuracy"], score_numbers("Mean over seeds", unit, 70)),
            "best discarded": (discarded, numbers("%.0f%%", "Share of the seeds")),
            "front": (order["pareto"], CheckboxColumn(width=55, help="On the Pareto front")),
        },
        f"{len(order)} strategies with cost and regret",
        export="halving_schedules",
        source=curves.source,
        key=_TABLE,
        height=300,
        on_select=partial(_load_row, order.to_dict("records")),
        selection_mode="single-row",
    )
    st.caption("Choose a row, or a point of the chart, to replay it.")


Rows = Sequence[Mapping[Hashable, Any]]


def _load_point(rows: Rows) -> None:
    for number in clicked(_CHART):
        _load_choice(Choice.from_row(rows[int(number)]))


def _load_row(rows: Rows) -> None:
    for number in st.session_state[_TABLE].selection.rows:
        _load_choice(Choice.from_row(rows[number]))


def _show_proxy(curves: CurvesInView, end: int, milestones: tuple[int, ...]) -> None:
    try:
        figure = _draw_proxy(curves, end, milestones)
    except SelectionError as error:
        st.caption(plain(error))
        return
    st.markdown(plain(alternative(figure)))
    show_figure(figure, "halving_proxy", source=curves.source)
    _show_compared_source(curves, end, "halving_proxy_source")
    link_to(ESTIMATES, "How well estimates rank all architectures")


@cached_figure
def _draw_proxy(curves: CurvesInView, end: int, milestones: tuple[int, ...]) -> go.Figure:
    return proxy_figure(_correlation(curves, end), milestones)


@lru_cache(_CACHED)
def _correlation(curves: CurvesInView, end: int) -> pd.DataFrame:
    return proxy_correlation(curves.compared, end)


def _show_compared_source(
    curves: CurvesInView, end: int, key: str, frame: pd.DataFrame | None = None
) -> None:
    seeds = list(curves.compared)
    left_out = [str(seed) for seed in curves.tables if seed not in seeds]
    parts = [f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"]
    if left_out:
        parts.append(f"without seed {', '.join(left_out)}, which lacks sub-spaces")
    command = f"fewshot halve {curves.option} --compare --end {end}"
    show_source([*curves.source, *parts], command, key, frame)


def _choose_end(curves: Curves) -> int:
    last = curves.end
    settings = {"placeholder": str(last), "help": "Default: the last epoch of the curves."}
    chosen = choose_number("A full run ends at epoch", "end", None, 1, last, **settings)
    return last if chosen is None else int(chosen)


def _choose_selection(curves: Curves, end: int) -> Choice:
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


def _drag_milestones(curves: Curves, end: int, milestones: Sequence[int]) -> None:
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
            f"Move the milestone{'s' * (len(pair) > 1)}",
            epochs,
            value=pair if len(pair) > 1 else pair[0],
            key=key,
            on_change=_take_handles,
            args=(list(keys),),
            help="Drag a handle, or move it with the arrow keys.",
        )


def _take_handles(keys: Sequence[str]) -> None:
    """Write where the handles are into the field of the milestones."""
    handles = [int(epoch) for key in keys for epoch in np.ravel(st.session_state[key])]
    number, first, _ = st.session_state[_HANDLES]
    st.session_state[_HANDLES] = number, first, tuple(handles)
    st.session_state[_MILESTONES] = _listed(sorted(set(handles)))


def _settings_of(choice: Choice) -> dict[str, Any]:
    """Return the settings of a choice that its strategy uses."""
    names = {"halving": ["milestones", "keep"], "top_k": ["k", "epoch"]}.get(choice.strategy, [])
    if names:
        names += ["rank_by", *(["window"] if choice.rank_by == "moving_average" else [])]
    return {name: getattr(choice, name) for name in names}


def _load_choice(choice: Choice) -> None:
    """Set the controls to a choice; to be called before they are drawn."""
    st.session_state["strategy"] = choice.strategy
    for name, value in _settings_of(choice).items():
        key = "at" if name == "epoch" else name
        st.session_state[key] = _listed(value) if name == "milestones" else value


def _listed(milestones: Sequence[int]) -> str:
    return ", ".join(map(str, milestones)) or "none"
