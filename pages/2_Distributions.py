"""Distributions: the accuracies in the sub-spaces of one split, or of all metrics."""

from fewshot_core.dashboard.distributions import show_distributions_page

show_distributions_page()
