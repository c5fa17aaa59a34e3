"""What the results on a page rest on: one kind of evidence at a time, and what to say of it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from fewshot_core.analysis import conclusion
from fewshot_core.dashboard.shared.controls import counted, plain
from fewshot_core.dashboard.shared.sidebar import (
    View,
    choose_option,
    is_new,
    is_restored,
    publish,
)
from fewshot_core.dashboard.shared.splits import SplitInView, list_splits
from fewshot_core.evidence import Evidence, group_by_evidence
from fewshot_core.space import space_label

NO_VERDICT = "Smoke test: these splits only show that everything works, so there is no verdict."


def split_evidence(view: View, dataset: str) -> list[tuple[str, Evidence]]:
    """List the keys of all splits of a data set with what they rest on."""
    store = view.workspace.store
    known = store.splits(dataset, space=view.space.name).set_index("run_id")["evidence"]
    imported = Evidence(dataset, space=space_label(view.space))
    keys = list_splits(store, dataset, view.space.name)
    return [(key, known.get(key, imported)) for key in keys]


def split_groups(view: View) -> dict[Evidence, list[str]]:
    """Group the splits of the data set in view by what they rest on, the strongest first."""
    return group_by_evidence(split_evidence(view, view.dataset))


def choose_evidence(
    groups: Mapping[Evidence, Sequence[object]],
    noun: str,
    plural: str = "",
    key: str = "evidence",
) -> Evidence:
    """Choose what the results shown rest on, by default the strongest; the value is in the URL.

    There is no control where there is no choice.
    """
    labels = {
        group.key: f"{group.label} ({counted(len(items), noun, plural)})"
        for group, items in groups.items()
    }
    if (is_restored() or is_new(key)) and st.query_params.get(
        key, next(iter(labels))
    ) not in labels:
        st.warning(
            "This data folder has no results with the evidence that the link asks for: the "
            "strongest are shown.",
            icon=":material/link_off:",
        )
    if len(labels) == 1:
        publish({key: None})
        return next(iter(groups))
    help_text = "Results with different networks, images, weights or protocols are never compared."
    chosen = choose_option(st.selectbox, "Results with", labels, key, unwritten="", help=help_text)
    return next(group for group in groups if group.key == chosen)


def split_notes(splits: Sequence[SplitInView]) -> list[tuple[str, ...]]:
    """List what a reader must know of each split: the badges, a demo split, the only one."""
    counts = Counter(split.name for split in splits)
    return [split.notes(counts[split.name] == 1) for split in splits]


def verdict(
    evidence: Evidence, splits: Sequence[SplitInView], reports: pd.DataFrame, top_label: str
) -> str:
    """Summarise reports of splits in one sentence, with what is top and what they have in common.

    The reports are of all splits, or of the median one by each metric. Random splits are not
    counted beside others: the sentence compares with what is random already.
    """
    notes = [plain(top_label), *evidence.badges]
    notes += ["demo"] * all(split.demo for split in splits)
    if len(reports) < len(splits):
        notes.append("median split of each metric")
    elif max(Counter(split.name for split in splits).values()) == 1 and not any(
        split.is_partition for split in splits
    ):
        notes.append("one seed each" if len(splits) > 1 else "one seed")
    by_chance = {name for each in splits if each.by_chance for name in (each.label, each.name)}
    judged = reports[~reports["split"].isin(by_chance)]
    found = conclusion(reports if judged.empty else judged) if evidence.conclusive else NO_VERDICT
    return f"{plain(found)} ({', '.join(notes)})"
