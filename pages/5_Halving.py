"""Halving: which sub-supernet a selection would have chosen, and with what regret."""

from fewshot_core.dashboard import choose_view, setup
from fewshot_core.dashboard.halving.view import show_halving

workspace = setup("Halving")
show_halving(workspace, choose_view(workspace))
