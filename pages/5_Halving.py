"""Halving: which sub-supernet a selection would have chosen, and what it would have lost."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.halving.view import show_halving

workspace = setup("Halving")
view = choose_view(workspace)
st.title("Halving")
show_halving(workspace, view)
