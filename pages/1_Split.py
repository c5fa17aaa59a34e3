"""Split: ask for a split, watch it grow, and look into it."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.split import (
    adopt_finished,
    choose_requests,
    show_progress,
    show_split,
    show_start,
)

workspace = setup("Split")
adopt_finished(workspace)
view = choose_view(workspace)
st.title("Split")
left, right = st.columns([1, 2], gap="large")
with left:
    show_start(workspace, choose_requests(workspace, view.dataset))
with right:
    show_progress(workspace)
    show_split(workspace, view)
