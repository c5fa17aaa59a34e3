"""The Search page: plans of searches, their form, and their results."""
