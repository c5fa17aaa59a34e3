"""Halving: which sub-supernet a selection would have chosen, and with what regret."""

from fewshot_core.dashboard.halving.view import show_halving_page

show_halving_page()
