"""Runs: find, compare and tag all runs."""

from fewshot_core.dashboard.runs import show_runs_page

show_runs_page()
