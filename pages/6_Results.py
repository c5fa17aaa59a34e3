"""Results: what searches found, metric by algorithm, beside what the paper reports."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.results import show_results

workspace = setup("Results")
view = choose_view(workspace)
st.title("Results")
show_results(workspace, view)
