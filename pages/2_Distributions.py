"""Distributions: what is inside the sub-spaces of one split, and of all of them."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.distributions import show_distributions, show_sheet

ONE, ALL = "The split in view", "All metrics and data sets"

workspace = setup("Distributions")
view = choose_view(workspace)
st.title("Distributions")
show = st.segmented_control(
    "Show",
    [ONE, ALL],
    default=ONE,
    required=True,
    key="show",
    bind="query-params",
    label_visibility="collapsed",
)
if show == ONE:
    show_distributions(workspace, view)
else:
    show_sheet(workspace, view)
