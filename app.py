"""Home: what is here, and what to do next."""

import streamlit as st

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.home import show_home
from fewshot_core.dashboard.shared.page import APP_NAME

workspace = setup(APP_NAME)
view = choose_view(workspace)
st.title(APP_NAME)
st.markdown(
    "Split the NAS-Bench-201 supernet into sub-supernets with any metric, see which architectures "
    "each of them holds, and judge how much the split tells about where the best ones are."
)
show_home(workspace, view)
