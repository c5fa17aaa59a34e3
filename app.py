"""Home: the informativeness of each metric, and what to do next."""

from fewshot_core.dashboard.home import show_home_page

show_home_page()
