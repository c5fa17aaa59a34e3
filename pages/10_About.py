"""About: what the workbench is, how to read its figures, its terms and documentation."""

from fewshot_core.dashboard.about import show_about_page

show_about_page()
