"""Split: request a split, watch it grow, and explore it."""

from fewshot_core.dashboard.split import show_split_page

show_split_page()
