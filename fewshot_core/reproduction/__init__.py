"""The claims of Section 4 of the paper, checked on recorded runs.

``read_material`` reads runs, tables and published splits, with the numbers of each case; each claim
of ``CLAIMS`` selects its cases and applies its rule; ``report_markdown`` writes the page. Only the
first one reads files.
"""

from fewshot_core.reproduction.across import POSITION, across_finding, across_markdown, read_across
from fewshot_core.reproduction.claims import CLAIMS
from fewshot_core.reproduction.material import Group, Material, Split
from fewshot_core.reproduction.reading import read_material
from fewshot_core.reproduction.report import Evaluated, evaluate, is_measured, report_markdown
from fewshot_core.reproduction.rules import SHARE_RULE, Finding, Verdict
from fewshot_core.reproduction.supernets import DATASET, read_supernets, supernets_markdown

__all__ = [
    "CLAIMS",
    "DATASET",
    "POSITION",
    "SHARE_RULE",
    "Evaluated",
    "Finding",
    "Group",
    "Material",
    "Split",
    "Verdict",
    "across_finding",
    "across_markdown",
    "evaluate",
    "is_measured",
    "read_across",
    "read_material",
    "read_supernets",
    "report_markdown",
    "supernets_markdown",
]
