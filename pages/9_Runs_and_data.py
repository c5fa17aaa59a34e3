"""Runs and data: what was computed, and what it is computed from."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.image_sources import show_images
from fewshot_core.dashboard.runs_table import show_runs
from fewshot_core.dashboard.table_import import show_tables

workspace = setup("Runs and data")
choose_view(workspace)
st.title("Runs and data")
show_runs(workspace)
show_tables(workspace)
show_images(workspace)
