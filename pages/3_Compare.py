"""Compare: several splits side by side, beside chance and beside the best."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.compare import show_comparison, show_split_files

workspace = setup("Compare")
view = choose_view(workspace)
st.title("Compare")
show_comparison(workspace, view)
show_split_files(workspace, view)
