"""The claims of Section 4 of the paper and questions beyond it, checked on recorded runs.

``read_material`` reads runs, tables and published splits, with the numbers of each case, and
``read_findings`` also what is known of other spaces; each claim of ``CLAIMS`` and ``FINDINGS``
selects its cases and applies its rule; ``report_markdown`` and ``findings_markdown`` write the
pages. Only the first two read files.
"""

from fewshot_core.reproduction.claims import CLAIMS
from fewshot_core.reproduction.findings import FINDINGS
from fewshot_core.reproduction.material import Group, Material, Split
from fewshot_core.reproduction.reading import read_across, read_bounds, read_findings, read_material
from fewshot_core.reproduction.report import (
    Evaluated,
    evaluate,
    findings_markdown,
    is_measured,
    report_markdown,
    run_names,
)
from fewshot_core.reproduction.rules import SHARE_RULE, Claim, Finding, Verdict

__all__ = [
    "CLAIMS",
    "FINDINGS",
    "SHARE_RULE",
    "Claim",
    "Evaluated",
    "Finding",
    "Group",
    "Material",
    "Split",
    "Verdict",
    "evaluate",
    "findings_markdown",
    "is_measured",
    "read_across",
    "read_bounds",
    "read_findings",
    "read_material",
    "report_markdown",
    "run_names",
]
