"""Results: search results by metric and algorithm, next to those of the paper."""

from fewshot_core.dashboard.results import show_results_page

show_results_page()
