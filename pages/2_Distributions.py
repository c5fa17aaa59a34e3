"""Distributions: what is inside the sub-spaces of one split."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.distributions import show_distributions

workspace = setup("Distributions")
view = choose_view(workspace)
st.title("Distributions")
show_distributions(workspace, view)
