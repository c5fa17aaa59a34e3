"""Data: search spaces, accuracy tables and images."""

from fewshot_core.dashboard.data import show_data_page

show_data_page()
