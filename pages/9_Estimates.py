"""Estimates: how well supernets and zero-cost metrics rank architectures."""

from fewshot_core.dashboard.estimates import show_estimates_page

show_estimates_page()
