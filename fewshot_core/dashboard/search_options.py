"""Presets: choosing one, changing some of it, and showing all of it beside the paper's."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.errors import FewshotError
from fewshot_core.search import (
    ALGORITHMS,
    PRESETS,
    SearchOptions,
    TrainingOptions,
)
from fewshot_core.search.option_texts import OPTION_TEXTS, readers_of
from fewshot_core.search.overrides import as_text, override

_USUAL = "quick"
# The options that are changed most, with their smallest values and the steps of their buttons.
_NUMBERS = {
    "epochs": ("Epochs", 1, 1),
    "images": ("Training images", 4, 400),
    "batch_size": ("Batch size", 2, 16),
    "channels": ("Channels", 1, 1),
    "cells_per_stage": ("Cells per stage", 1, 1),
}


def choose_preset() -> str:
    """Choose a preset."""
    chosen = st.segmented_control(
        "Preset",
        PRESETS.names(),
        default=_USUAL,
        required=True,
        key="preset",
        bind="query-params",
        format_func=lambda name: PRESETS.get(name).label,
    )
    st.caption(PRESETS.get(str(chosen)).description)
    return str(chosen)


def choose_options(preset: str) -> SearchOptions | None:
    """Choose other values than a preset's; None where they are impossible."""
    usual = PRESETS.get(preset).search
    with st.expander("Change some of it", icon=":material/tune:"):
        changes = _choose_numbers(usual, preset)
        texts = st.text_input(
            "Other options",
            key="set",
            bind="query-params",
            placeholder="architecture_learning_rate=0.003 augment=false",
            help="NAME=VALUE, with spaces between them; the table of options has all names.",
        )
    try:
        return override(replace(usual, **changes), texts.split())
    except FewshotError as error:
        st.error(str(error))
        return None


def _choose_numbers(usual: SearchOptions, preset: str) -> dict[str, Any]:
    """Draw the numbers; those of each preset are its own, so that another one shows its values."""
    changes: dict[str, Any] = {}
    columns = st.columns(2)
    for number, (name, (label, least, step)) in enumerate(_NUMBERS.items()):
        changes[name] = columns[number % 2].number_input(
            label,
            min_value=least,
            value=getattr(usual, name),
            step=step,
            key=f"{preset}_{name}",
            bind="query-params",
            placeholder="all there are",
            help=OPTION_TEXTS[name],
        )
    return changes


def options_frame(
    options: SearchOptions | TrainingOptions, algorithm: str | None = None
) -> pd.DataFrame:
    """Return every option with its value, the paper's, and what it means.

    Options that only other algorithms read are left out.

    Returns:
        Columns option, value, paper, differs (a sign, or nothing) and meaning.
    """
    paper = PRESETS.get("paper")
    usual = paper.search if isinstance(options, SearchOptions) else paper.training
    label = None if algorithm is None else ALGORITHMS.get(algorithm).label
    rows = []
    for field in fields(options):
        readers = readers_of(field.name)
        if readers and label not in readers:
            continue
        value, paper_value = getattr(options, field.name), getattr(usual, field.name)
        rows.append(
            {
                "option": field.name,
                "value": as_text(value),
                "paper": as_text(paper_value),
                "differs": "" if value == paper_value else "≠",
                "meaning": OPTION_TEXTS[field.name],
            }
        )
    return pd.DataFrame(rows)


def show_options(
    options: SearchOptions | TrainingOptions,
    key: str,
    algorithm: str | None = None,
    narrow: bool = False,
) -> None:
    """Show every option beside the paper's; a narrow table leaves out what they mean."""
    frame, width = options_frame(options, algorithm), 60 if narrow else 90
    differing = frame.loc[frame["differs"] != "", "option"].tolist()
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height="content",
        column_order=list(frame.columns[: 3 if narrow else None]),
        column_config={
            "value": st.column_config.TextColumn(width=width),
            "paper": st.column_config.TextColumn(width=width, help="Appendix A"),
            "differs": st.column_config.TextColumn("≠", width=40, help="Not as in the paper"),
        },
        alt=f"{len(frame)} options; other than in the paper: {_listed(differing)}",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
