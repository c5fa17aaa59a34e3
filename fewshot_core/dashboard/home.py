"""The home page: the informativeness of each metric, and what to do next."""

from collections import Counter
from typing import Any

import streamlit as st

from fewshot_core.dashboard.shared.controls import plain, show_tiles
from fewshot_core.dashboard.shared.evidence import choose_evidence, split_groups, verdict
from fewshot_core.dashboard.shared.figures import (
    load_evaluator,
    named,
    reports,
    rests_on,
    show_figure,
    show_informativeness,
    show_split_source,
    show_splits_source,
)
from fewshot_core.dashboard.shared.page import (
    APP_NAME,
    COMPARE,
    HALVING,
    NEW_SPLIT,
    SPLIT,
    link_to,
    show_empty,
)
from fewshot_core.dashboard.shared.sidebar import View, open_page
from fewshot_core.dashboard.shared.splits import first_of_each_metric, list_splits, open_splits
from fewshot_core.dashboard.shared.trees import draw_split
from fewshot_core.datasets import DATASETS
from fewshot_core.doctor import examine
from fewshot_core.glossary import explain

_LINKS = {SPLIT: "Explore a split", COMPARE: "Compare metrics", HALVING: "Replay a schedule"}
_MOST_OF_EACH = 6
"""How many splits by one metric are shown."""


def show_home_page() -> None:
    """Draw the page."""
    view = open_page(APP_NAME)
    st.markdown(
        "Split the NAS-Bench-201 supernet into sub-supernets with any metric, see which "
        "architectures each of them contains, and measure how informative the split is about where "
        "the best ones are."
    )
    _show_metrics(view)
    for column, (page, label) in zip(st.columns(len(_LINKS)), _LINKS.items(), strict=True):
        with column, st.container(border=True, height="stretch"):
            link_to(page, f"**{label}**")
            st.caption(page.description)
    states = Counter(run.state for run in view.workspace.runs() if not run.demo)
    _show_status(examine(view.workspace.data_dir, states))


def _show_metrics(view: View) -> None:
    dataset = DATASETS.label(view.dataset)
    if view.split is None and view.missing is None:
        show_empty(
            f"**No split of {dataset} is finished yet.** Make one: `#params` takes seconds and "
            "needs no images; `gradnorm` and `gradientmatching` use a batch of them.",
            SPLIT,
            "Make the first split",
            NEW_SPLIT,
        )
        return
    evaluator = load_evaluator(view)
    if evaluator is None:
        if view.split is None:
            return
        st.subheader(f"The split in view: {view.split.name} on {dataset}")
        source = [view.split.label, *rests_on([view.split])]
        show_figure(draw_split(view.split, None), "home_tree", wide=True, source=source)
        show_split_source(view.split, "home_source")
        return
    groups = split_groups(view)
    evidence = choose_evidence(groups, "split")
    labels = list_splits(view.workspace.store, view.dataset)
    labels = {key: labels[key] for key in groups[evidence]}
    first = open_splits(view.workspace.store, first_of_each_metric(labels))
    splits = open_splits(view.workspace.store, first_of_each_metric(labels, _MOST_OF_EACH))
    which = ", the first split of each metric" if len(splits) > len(first) else ""
    found = verdict(evidence, first, reports(named(first), evaluator))
    terms = explain("information gain", "random trees", "best tree", "top 1%")
    st.markdown(f"**On {dataset}**{which}: {found}", help=terms)
    show_informativeness(view, evaluator, splits, "home_metrics", by_metric=True)
    show_splits_source(view, evaluator, splits, "home_source")


def _show_status(found: dict[str, Any]) -> None:
    """Write the row of what is installed, and what keeps the workbench from working."""
    names = [item["label"] for item in found["tables"]]
    real = [
        DATASETS.label(name)
        for name, sources in found["images"].items()
        if any(not source["synthetic"] for source in sources)
    ]
    states = ", ".join(f"{count} {state}" for state, count in found["runs"].items())
    tiles = {
        "Accuracy tables": (len(names), ", ".join(names)),
        "Real images": (", ".join(real) or "none yet", None),
        "Device": (found["devices"][0].upper(), None),
        "Runs": (sum(found["runs"].values()), states or "none yet"),
    }
    show_tiles(tiles, 4)
    for problem in found["problems"]:
        st.warning(plain(problem), icon=":material/warning:")
