"""The claims of Section 4 of the paper, checked on recorded runs.

``read_material`` reads runs, tables and published splits; each claim of ``CLAIMS`` lists its cases
in them and applies its rule; ``report_markdown`` writes the page. Only the first one reads files.
"""

from fewshot_core.reproduction.claims import Verdict
from fewshot_core.reproduction.evidence import (
    Material,
    Split,
    read_material,
)
from fewshot_core.reproduction.report import CLAIMS, report_markdown

__all__ = [
    "CLAIMS",
    "Material",
    "Split",
    "Verdict",
    "read_material",
    "report_markdown",
]
