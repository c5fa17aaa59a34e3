"""The claims of Section 4 of the paper, checked on recorded runs.

``read_material`` takes what there is from a data folder; ``find_claims`` judges every claim by a
rule that it states; ``report_markdown`` writes the page. Only the first one reads files.
"""

from fewshot_core.reproduction.claims import Claim, Evidence, Grid, Verdict
from fewshot_core.reproduction.markdown import report_markdown
from fewshot_core.reproduction.material import (
    Accuracies,
    Material,
    SearchedSplit,
    Split,
    WholeSearch,
)
from fewshot_core.reproduction.reading import read_material
from fewshot_core.reproduction.section import find_claims

__all__ = [
    "Accuracies",
    "Claim",
    "Evidence",
    "Grid",
    "Material",
    "SearchedSplit",
    "Split",
    "Verdict",
    "WholeSearch",
    "find_claims",
    "read_material",
    "report_markdown",
]
