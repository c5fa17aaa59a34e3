"""The page: every claim with its evidence, as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from textwrap import fill

import pandas as pd

from fewshot_core.analysis import RANDOM_TREES
from fewshot_core.analysis.results import markdown_table
from fewshot_core.reproduction.claims import SHARE_RULE, Claim, Finding, Row, Verdict
from fewshot_core.reproduction.evidence import Material, Source
from fewshot_core.reproduction.selection_claims import HALVING_CLAIMS, PROXY_CLAIMS
from fewshot_core.reproduction.splitting_claims import (
    CONTENT_CLAIMS,
    IMPACT_CLAIMS,
    INFORMATIVE_CLAIM,
)

CLAIMS = (*IMPACT_CLAIMS, *CONTENT_CLAIMS, *PROXY_CLAIMS, *HALVING_CLAIMS, INFORMATIVE_CLAIM)
"""All claims of Section 4 in its order, and the questions beyond it."""

_HEAD = """\
# Reproduction: Section 4 of the paper, claim by claim

Generated from recorded runs by

    {command}

Every number and every verdict is computed from them; the same runs give the same page. The paper is
"Analyzing Few-Shot Neural Architecture Search in a Metric-Driven Framework" (AutoML 2024).

A claim *holds*, *does not hold* or is *inconclusive* by the rule stated with it, which uses only
the numbers below it. All intervals are 95% confidence intervals. Most claims use the *share rule*:
cases are counted, and {share_rule} (to hold takes four of four, or seven of eight). Cases that
share a split, sub-spaces or a table are not independent; their intervals are too narrow.

Splits and searches of different scale are never counted together, and results at a reduced scale
need not transfer to the paper's. Accuracies of architectures are looked up in a table, in percent.
{accuracies}"Seed" is the random seed of the metric, the batch and the weights; "ties" is the number
of nodes of a tree whose grouping is an arbitrary choice among equal ones.
"""

_VALIDATION = (
    "The paper reports test accuracies; those looked up here are validation accuracies, on another "
    "scale: counts and orders are comparable, accuracies are not. "
)

_TAIL = """\
See also: [reproducing the paper itself](results.md#reproducing-the-paper-itself);
[the published splits](published-splits.md), and the variance of a split by `gradientmatching` over
weights and images; [informativeness of splits](analysis.md);
[selecting a sub-supernet](halving.md); [the paper's tables](results.md).
"""

_Evidence = Sequence[tuple[Finding, Source]]
_Evaluated = Sequence[tuple[Claim, _Evidence]]


def report_markdown(material: Material, command: str, claims: Sequence[Claim] = CLAIMS) -> str:
    """Evaluate claims and write the page, which names the command that generates it."""
    evaluated = [(claim, list(claim.evidence(material))) for claim in claims]
    sets = dict.fromkeys(source.runs for _, evidence in evaluated for _, source in evidence)
    names = {runs: f"R{number}" for number, runs in enumerate(filter(None, sets), start=1)}
    run_lines = [f"* {name}: {', '.join(f'`{r}`' for r in runs)}" for runs, name in names.items()]
    validation = any(one.kind == "validation" for one in material.accuracies.values())
    unlike = _VALIDATION if validation else ""
    head = _HEAD.format(command=command, share_rule=SHARE_RULE, accuracies=unlike)
    wrap = partial(fill, width=100, break_long_words=False, break_on_hyphens=False)
    parts = [
        *(part if part.startswith(" ") else wrap(part) for part in head.split("\n\n")),
        "## Summary",
        _table(_summary(evaluated)),
        "## Material",
        "\n".join(f"* {text}." for text in _inventory(material)),
        "Properties of the accuracy tables alone: the top 1%, the best tree of three edges and two "
        f"groups (exact), and {RANDOM_TREES:,} random trees of that shape.",
        _table(one.facts() for one in material.accuracies.values()),
        *(part for claim, found in evaluated for part in _claim(claim, found, material, names)),
        _TAIL,
        "## Runs",
        "\n".join(run_lines) or "Nothing was measured in runs.",
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _table(rows: Iterable[Row]) -> str:
    return markdown_table(pd.DataFrame(rows), "---")


def _summary(evaluated: _Evaluated) -> Iterator[Row]:
    for claim, evidence in evaluated:
        verdicts = [(source.material, f"**{one.decision.verdict}**") for one, source in evidence]
        if not _measured(evidence):
            verdicts.insert(0, ("runs of this data folder", Verdict.MISSING.value))
        title, section = _link(claim), claim.section
        for material, verdict in verdicts:
            yield {"claim": title, "section": section, "evidence": material, "verdict": verdict}
            title = section = ""


def _inventory(material: Material) -> Iterator[str]:
    tables = dict.fromkeys(
        f"{one.table} ({one.kind} accuracy, SHA-256 {one.fingerprint[:12]})"
        for one in material.accuracies.values()
    )
    yield f"Accuracy tables: {'; '.join(tables)}"
    for group in material.groups():
        yield f"{group.material}: {group.scale}"
    for kind, cells in material.searched_by_kind().items():
        yield f"{len(cells)} searched splits on {kind.dataset}: {kind.scale}"
    if not material.searched:
        yield "No split with a finished search in every sub-space"
    for text in material.incomplete:
        yield f"Incomplete, not counted: {text}"


def _claim(
    claim: Claim,
    evidence: _Evidence,
    material: Material,
    names: Mapping[tuple[str, ...], str],
) -> Iterator[str]:
    yield f"## {claim.title}"
    numbered = claim.section[0].isdigit()
    place = f"Section {claim.section}" if numbered else _capital(claim.section)
    yield f"*{place}.* {claim.statement}"
    yield f"*Rule.* {claim.rule}"
    for (measured, (verdict, reason), table), (text, scale, runs) in evidence:
        suffix = f" Runs: [{names[runs]}](#runs) ({len(runs)})." if runs else ""
        yield f"**{_capital(text)}: {verdict}.** {measured}"
        yield f"Reason: {reason}. Scale: {scale}.{suffix}"
        if table:
            yield _table(table)
    if not _measured(evidence):
        yield "**Runs of this data folder: not measured.** This command makes the missing runs:"
        yield f"    {claim.command.format(**material.commands())}"


def _measured(evidence: _Evidence) -> bool:
    """Whether any of it is based on runs."""
    return any(source.runs for _, source in evidence)


def _link(claim: Claim) -> str:
    letters = [letter for letter in claim.title.lower() if letter.isalnum() or letter in " -"]
    return f"[{claim.title}](#{''.join(letters).replace(' ', '-')})"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
