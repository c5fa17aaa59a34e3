"""Runs and data: all runs, and the accuracy tables and images that they use."""

from fewshot_core.dashboard.runs import show_runs_and_data_page

show_runs_and_data_page()
