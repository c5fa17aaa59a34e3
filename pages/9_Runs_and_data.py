"""Runs and data: what was computed, and what it is computed from."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.data import show_images, show_tables
from fewshot_core.dashboard.runs import show_runs

workspace = setup("Runs and data")
choose_view(workspace)
st.title("Runs and data")
show_runs(workspace)
show_tables(workspace)
show_images(workspace)
