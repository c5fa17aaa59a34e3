"""What can go wrong in a search."""

from fewshot_core.errors import FewshotError


class SearchError(FewshotError):
    """A search or a training that cannot be run as asked, or whose files cannot be read."""
