"""Search: run a one-shot algorithm in every sub-space of a split, and watch it."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.search.form import choose_place, choose_plan, show_start, show_training
from fewshot_core.dashboard.search.view import choose_shown, show_searches
from fewshot_core.dashboard.shared.sidebar import show_missing_split

workspace = setup("Search")
view = choose_view(workspace)
st.title("Search")
left, right = st.columns([1, 2], gap="large")
with left:
    place = choose_place(view)
    asked = choose_plan(workspace, view, place)
    show_start(workspace, asked)
    show_training(workspace, view.dataset)
with right:
    if place is None:
        show_missing_split(view)
    else:
        shown = choose_shown(workspace, view, place, asked)
        if shown is not None:
            show_searches(workspace, view, shown)
