"""Search: run a one-shot algorithm in every sub-space of a split, and watch it."""

from fewshot_core.dashboard.search.view import show_search_page

show_search_page()
