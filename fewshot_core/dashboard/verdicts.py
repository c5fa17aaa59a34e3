"""What a selection came to, in words and numbers."""

import streamlit as st

from fewshot_core.selection import (
    Curves,
    HalvingResult,
    cost_text,
    describe_milestones,
    verdict,
)


def show_verdict(curves: Curves, result: HalvingResult) -> None:
    """Write the verdict, its numbers, and where a tie was broken."""
    st.subheader("Verdict")
    sentence, *ties = verdict(result).split(" At ", 1)
    st.markdown(f"**{sentence}**")
    if ties:
        st.warning(f"At {ties[0]}", icon=":material/balance:")
    left, right = st.columns(2)
    left.metric("Found", f"{result.test_accuracy:.2f}%", help="The architecture that is chosen")
    right.metric("Best there is", f"{result.ceiling:.2f}%", help=", ".join(result.equally_best))
    left.metric("Points lost", f"{result.regret:.2f}", help="Best there is less found, in %")
    right.metric(
        "Cost",
        cost_text(result.cost),
        help=f"{result.cost:.4g} times the epochs of one full run, {result.end}; train all costs "
        f"{len(result.sub_spaces)} runs",
    )
    if result.strategy == "halving":
        st.caption(f"{describe_milestones(curves, result)}.".capitalize())
