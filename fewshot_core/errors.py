"""The errors that the workbench raises on purpose."""


class FewshotError(Exception):
    """Root of all errors a user can do something about.

    A message states what was expected, what was given, and what to do next.
    """


class SpaceError(FewshotError):
    """A string, row, index or operation that does not describe the search space."""


class UnknownNameError(FewshotError):
    """A name that is not in a registry or table."""


class TableError(FewshotError):
    """An accuracy table that is missing or cannot be trusted."""


class ImagesError(FewshotError):
    """Images that are missing, damaged or of another data set."""


class CheckpointError(FewshotError):
    """A checkpoint that cannot be read or does not fit the supernet."""


class MetricError(FewshotError):
    """A metric that cannot be computed with these options."""


class SplittingError(FewshotError):
    """A split that cannot be made with these options, or a tree that cannot be read."""


class SelectionError(FewshotError):
    """Curves that cannot be selected among: damaged, incomplete or too short."""


class RunError(FewshotError):
    """A run that cannot be started, read or cancelled."""


class StoreError(FewshotError):
    """A cache that cannot be opened."""
