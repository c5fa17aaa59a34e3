"""The app. Besides ``pages/`` and ``app.py``, only this package imports streamlit."""

from fewshot_core.dashboard.shared.page import Workspace, setup
from fewshot_core.dashboard.shared.sidebar import View, choose_view

__all__ = ["View", "Workspace", "choose_view", "setup"]
