"""Compare: several splits next to random trees, the best tree and each other."""

from fewshot_core.dashboard.compare import show_compare_page

show_compare_page()
