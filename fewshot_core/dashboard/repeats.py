"""How much of a split is chance: its repeats from other seeds."""

from functools import lru_cache

import pandas as pd
import streamlit as st

from fewshot_core.analysis.stability import score_spread, stability
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.splits import SplitInView, read_request
from fewshot_core.space import OPERATION_LABELS, edge_label, operation_set_label
from fewshot_core.splitting import SplitNode, SplitTree


def repeats_of(workspace: Workspace, split: SplitInView) -> list[SplitTree]:
    """Return the split in view and all finished splits that differ from it only by their seeds."""
    if split.tree is None or split.request is None:
        return []
    rows = workspace.store.splits(split.dataset)
    others = [
        str(run_id)
        for run_id, text in zip(rows["run_id"], rows["request"], strict=True)
        if run_id != split.key and _family(text) == split.request.family
    ]
    return [split.tree, *workspace.store.split_trees(others)]


@lru_cache(maxsize=20_000)
def _family(text: str) -> str:
    return read_request(text).family


def show_stability(trees: list[SplitTree]) -> None:
    """Show how often each decision of the first tree recurs."""
    if len(trees) < 2:
        st.caption(
            "Made once. With *Repeats* at the left, the split is made again from other seeds, and "
            "how much of it is chance is shown here."
        )
        return
    table = stability(trees)
    root = table.iloc[0]
    st.markdown(
        f"**Over {len(trees)} seeds** the root is split as here {root['same']} times; there "
        f"{_are(int(root['groupings']))}."
    )
    shown = pd.DataFrame(
        {
            "node": ["/".join(str(step + 1) for step in path) or "root" for path in table["path"]],
            "edge": [edge_label(edge) for edge in table["edge"]],
            "as here": table["same"],
            "of": table["arrived"],
            "different groupings": table["groupings"],
            "most frequent": [" | ".join(map(operation_set_label, g)) for g in table["commonest"]],
            "times": table["count"],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        column_config={"of": st.column_config.NumberColumn(help="Seeds that come to this node")},
        alt=f"How often each decision recurs over {len(trees)} seeds",
    )


def show_spread(trees: list[SplitTree], node: SplitNode) -> None:
    """Show how the scores of a node vary over the seeds."""
    spread = score_spread(trees, node)
    if len(trees) < 2 or not (spread["scores"] > 1).any():
        return
    shown = spread.assign(operation=[OPERATION_LABELS[number] for number in spread["operation"]])
    st.markdown("**Scores over the seeds**")
    number = st.column_config.NumberColumn(format="%.5g")
    st.dataframe(
        shown.rename(columns={"scores": "seeds", "minimum": "least", "maximum": "most"}),
        hide_index=True,
        column_config=dict.fromkeys(("mean", "std", "least", "most"), number),
        alt="Mean, deviation, least and most of the score of each operation over the seeds",
    )


def _are(groupings: int) -> str:
    return "is no other grouping" if groupings == 1 else f"are {groupings} groupings in all"
