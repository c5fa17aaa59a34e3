"""The page: every claim with its evidence, as Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from string import Formatter
from textwrap import fill
from typing import Any

import pandas as pd

from fewshot_core.analysis import RANDOM_TREES
from fewshot_core.analysis.results import markdown_table
from fewshot_core.plots import dots_svg
from fewshot_core.reproduction.claims import CLAIMS
from fewshot_core.reproduction.findings import FINDINGS
from fewshot_core.reproduction.material import Group, Material, Row
from fewshot_core.reproduction.rules import SHARE_RULE, Claim, Finding, Verdict

_HEAD = """\
# Reproduction: Section 4 of the paper, claim by claim

Generated from recorded runs by

    {command}

Every number and every verdict is computed from them; the same runs give the same page. The paper is
"Analyzing Few-Shot Neural Architecture Search in a Metric-Driven Framework" (AutoML 2024).

A claim *holds*, *does not hold* or is *inconclusive* by the rule stated with it, which uses only
the numbers on this page; those of each case are in [the numbers](#the-numbers). All intervals are
95% confidence intervals. Most claims use the *share rule*: cases are counted, and {share_rule}.
Cases of one seed share images, and often sub-spaces, so that only seeds are repetitions.

Splits and searches of different scale are never counted together, and results at a reduced scale
need not transfer to the paper's. Searches hold out half of their images to choose architectures.
Accuracies of architectures are looked up in a table, in percent. {accuracies}"Seed" is the random
seed of the metric, the batch and the weights; "ties" is the number of nodes of a tree whose
grouping is an arbitrary choice among equal ones.
"""

_VALIDATION = (
    "The paper reports test accuracies; those looked up here are validation accuracies, on another "
    "scale: counts and orders are comparable, accuracies are not. "
)

_NUMBERS = """\
A row is a case. Of a split: the sizes of its sub-spaces S1 to S8 and the top 1% of the
architectures in each; the sub-spaces with some of the top, and the smallest number with 90% of it;
Kendall's tau between sizes and top. Of a searched split: what its sub-supernets found; the leader
by validation accuracy at the end, with its rank by what all found; the share of epochs at which
another one than the leader is the best; Kendall's tau between validation accuracy and the final
result; and what halving at these milestones chose, where it discarded the best, and how probable
that is at random.
"""

_TAIL = """\
See also: [reproducing the paper itself](results.md#reproducing-the-paper-itself);
[the published splits](published-splits.md), and the variance of a split by `gradientmatching` over
weights and images; [informativeness of splits](analysis.md);
[selecting a sub-supernet](halving.md); [the paper's tables](results.md).
"""

_FINDINGS_HEAD = """\
# What we found

Generated from recorded runs and tables by

    {command}

Every number, verdict and figure is computed from them; the same data folder gives the same page.
All intervals are 95% confidence intervals. A seed is a repetition; epochs, and splits of one seed,
are not. Results that rest on different networks, images or tables are never averaged. *Share rule*:
{share_rule}. What there is no evidence of is listed under [what is missing](#what-is-missing).
"""

_METHOD = """\
A *split* divides a space into sub-spaces by grouping the operations of, usually, three decisions.
Its *information gain* says how much it tells about where the best 1% of all architectures are.
It is compared with random trees of the same shape, and with the best tree, which is found exactly.
*Searches* run in every sub-space, and ways to select among them are replayed on recorded curves.
Accuracies of architectures are looked up in tables; nothing is trained to check what was found.
"""

_SHIPPED = (
    ("test", "NAS-Bench-201", "`fewshot import-table nats_bench.csv`"),
    ("", "NAS-Bench-Macro", "see [search spaces](search-spaces.md#the-published-spaces)"),
    ("", "TransNAS-Bench-101 micro", "see [search spaces](search-spaces.md#the-published-spaces)"),
)
"""Tables that findings use if they were imported: kind, space, and how to import them."""

_SPLIT_COLUMNS = {
    "metric": "{metric}",
    "data set": "{dataset}",
    "seed": "{seeds}",
    "ties": "{ties}",
    "sizes, S1 to S8": "{sizes}",
    "largest": "{largest:.1%}",
    "shape": "{shape}",
    "top 1%, S1 to S8": "{tops}",
    "sub-spaces with some": "{with_top}",
    "with 90% of it": "{for_most}",
    "most in one": "{richest:.0%}",
    "tau of size and top": "{tau:.2f}",
    "of the top in the largest": "{top_in_largest:.0%}",
}
_SEARCH_COLUMNS = {
    "metric": "{metric}",
    "seed": "{seed}",
    "best found, %": "{best:.2f}",
    "in": "{best_in}",
    "without splitting, %": "{whole:.2f}",
    "difference": "{gain:+.2f}",
    "mean of all found, %": "{mean:.2f}",
    "lowest found, %": "{lowest:.2f}",
    "leader at the end": "{leader.winner}: {leader.test_accuracy:.2f}%",
    "its rank": "{leader_rank} of {count}",
    "its regret, points": "{leader_regret:.2f}",
    "epochs with another best": "{wrong:.0%} (one at random: {drawn:.0%})",
    "tau at the first milestone": "{early:.2f}",
    "tau at the end": "{late:.2f}",
    "milestones": "{milestones}",
    "halving chose": "{halving.winner}: {halving.test_accuracy:.2f}%",
    "of rank": "{halving_rank} of {count}",
    "regret, points": "{regret:.2f}",
    "cost, runs": "{cost:.2f}",
    "best discarded": "{discarded} (at random: {lost_at_random:.0%})",
}


class _Cells(Formatter):
    """Formats a missing number as a dash, and several values with commas."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, tuple):
            return ", ".join(map(str, value)) or "–"
        return "–" if pd.isna(value) else str(super().format_field(value, format_spec))


Evidence = Sequence[tuple[Finding, Group]]
Evaluated = Sequence[tuple[Claim, Evidence]]
"""Claims, each with its finding in every group of cases."""


def evaluate(material: Material, claims: Sequence[Claim] = CLAIMS) -> Evaluated:
    """Apply the rules of claims to the material."""
    return [(claim, list(claim.evidence(material))) for claim in claims]


def is_measured(evidence: Evidence) -> bool:
    """Whether any of it is based on runs, or on imported tables alone."""
    return any(group.measured for _, group in evidence)


def report_markdown(material: Material, command: str, claims: Sequence[Claim] = CLAIMS) -> str:
    """Evaluate claims and write the page, which names the command that generates it."""
    evaluated = evaluate(material, claims)
    names = run_names(evaluated)
    validation = any(one.kind == "validation" for one in material.accuracies.values())
    unlike = _VALIDATION if validation else ""
    head = _HEAD.format(command=command, share_rule=SHARE_RULE, accuracies=unlike)
    parts = [
        *_wrapped(head),
        "## Summary",
        _table(_summary(evaluated)),
        "## Material",
        "\n".join(f"* {text}." for text in _inventory(material)),
        "Properties of the accuracy tables alone: the top 1%, the best tree of three edges and two "
        f"groups (exact), and {RANDOM_TREES:,} random trees of that shape.",
        _table(one.facts() for one in material.accuracies.values()),
        *(part for claim, found in evaluated for part in _claim(claim, found, material, names)),
        "## The numbers",
        _NUMBERS,
        *_numbers(material.split_groups, _SPLIT_COLUMNS),
        *_numbers(material.search_groups, _SEARCH_COLUMNS),
        _TAIL,
        *_runs(names),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def findings_markdown(material: Material, command: str, stem: str) -> tuple[str, dict[str, str]]:
    """Write the page of findings, and its figures as SVG by file name, which begins with the stem.

    The verdicts on the claims of the paper are a table of it.
    """
    evaluated, claims = evaluate(material, FINDINGS), evaluate(material)
    names = run_names(evaluated)
    parts = [*_wrapped(_FINDINGS_HEAD.format(command=command, share_rule=SHARE_RULE))]
    parts += ["## In short", "\n".join(_short(evaluated)), "## Method", _METHOD]
    figures: dict[str, str] = {}
    for number, (claim, evidence) in enumerate(evaluated, start=1):
        images = []
        for at, points in enumerate(_drawn(claim, evidence), start=1):
            name = f"{stem}-{number}{f'-{at}' * (at > 1)}.svg"
            if points is not None:
                figures[name] = dots_svg(points, claim.title, claim.axis)
            images.append("" if points is None else f"![{claim.title}: {claim.axis}]({name})")
        parts += _claim(claim, evidence, material, names, images)
    parts += ["## The paper's claims, by seeds"]
    parts.append(
        "Verdicts on the claims of Section 4 by the recorded runs and by the paper's printed "
        "tables; rules, numbers and cases are on [the page of claims](reproduction.md)."
    )
    parts += [_table(_summary(claims, "reproduction.md"))]
    parts += ["## What is missing", "\n".join(f"* {text}." for text in _missing(material))]
    parts += _runs(names)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n", figures


def _drawn(claim: Claim, evidence: Evidence) -> list[pd.DataFrame | None]:
    """Collect the points of each group; those of the first finding make one figure."""
    points = [finding.points for finding, _ in evidence]
    known = [one for one in points if one is not None]
    return [pd.concat(known)] if claim is FINDINGS[0] and known else points


def _wrapped(text: str) -> Iterator[str]:
    wrap = partial(fill, width=100, break_long_words=False, break_on_hyphens=False)
    return (part if part.startswith(" ") else wrap(part) for part in text.split("\n\n"))


def _short(evaluated: Evaluated) -> Iterator[str]:
    for claim, evidence in evaluated:
        missing = "" if evidence else f": **{Verdict.MISSING}** here"
        yield f"* {_link(claim.title, claim.title)}{missing}"
        for finding, group in evidence:
            if not group.secondary:
                yield f"  * **{_capital(finding.verdict)}**, {group.title}. {finding.measured}"
        others = Counter(finding.verdict for finding, group in evidence if group.secondary)
        if others:
            counts = ", ".join(f"{verdict} ({count})" for verdict, count in others.items())
            yield f"  * Other evidence, in its section: {counts}."


def _missing(material: Material) -> Iterator[str]:
    bounds = material.bounds
    for kind, space, how in _SHIPPED:
        if not ((bounds["space"] == space) & bounds["kind"].str.contains(kind)).any():
            yield f"{kind.capitalize() or 'All'} scores of {space} ({how})"
    if material.estimates.empty:
        how = "`fewshot import-table estimates.csv --map COLUMN=estimate:cifar10`"
        yield f"Estimates of architectures by supernets ({how})"
    known = set(material.across["space"])
    for _, space, _ in _SHIPPED:
        if space not in known:
            yield f"Splits of {space} beside a table of it"
    if material.across["runs"].astype(bool).all():
        yield "Published splits (`fewshot import-split published_splits_all.json`)"
    if material.across["batch"].nunique() < 2:
        yield "Splits by other batch sizes, or with stored statistics of batch norm"
    if not material.across["tree"].any():
        yield "Splits over more decisions than three, or other ones, by metrics that need a network"
    if not material.searched:
        yield "Searches in every sub-space of a split"
    yield from _not_counted(material)


def _not_counted(material: Material) -> Iterator[str]:
    for scale, texts in material.incomplete.items():
        yield f"Searches in some sub-spaces only, not counted: {scale}: {'; '.join(texts)}"


def run_names(evaluated: Evaluated) -> dict[tuple[str, ...], str]:
    """Name each set of runs that findings rest on, as the page does: R1, R2, ..."""
    sets = dict.fromkeys(group.runs for _, evidence in evaluated for _, group in evidence)
    return {runs: f"R{number}" for number, runs in enumerate(filter(None, sets), start=1)}


def _runs(names: Mapping[tuple[str, ...], str]) -> Sequence[str]:
    lines = [f"* {name}: {', '.join(f'`{r}`' for r in runs)}" for runs, name in names.items()]
    return "## Runs", "\n".join(lines) or "Nothing was measured in runs."


def _table(rows: Iterable[Row]) -> str:
    text = pd.DataFrame(rows).map(lambda cell: f"{cell:.2f}" if isinstance(cell, float) else cell)
    return markdown_table(text.replace("nan", "–"), "---")


def _summary(evaluated: Evaluated, page: str = "") -> Iterator[Row]:
    for claim, evidence in evaluated:
        verdicts = [(group.title, f"**{one.verdict}**") for one, group in evidence]
        if not is_measured(evidence):
            verdicts.insert(0, ("runs of this data folder", Verdict.MISSING.value))
        title, section = _link(claim.title, claim.title, page), claim.section
        for group, verdict in verdicts:
            yield {"claim": title, "section": section, "evidence": group, "verdict": verdict}
            title = section = ""


def _inventory(material: Material) -> Iterator[str]:
    tables = dict.fromkeys(
        f"{one.table} ({one.kind} accuracy, SHA-256 {one.fingerprint[:12]})"
        for one in material.accuracies.values()
    )
    yield f"Accuracy tables: {'; '.join(tables)}"
    for group in (*material.split_groups, *material.search_groups):
        yield f"{_links(group)}: {group.title}: {group.scale}"
    if not material.searched:
        yield "No split with a finished search in every sub-space"
    yield from _not_counted(material)


def _claim(
    claim: Claim,
    evidence: Evidence,
    material: Material,
    names: Mapping[tuple[str, ...], str],
    images: Sequence[str] = (),
) -> Iterator[str]:
    yield f"## {claim.title}"
    yield f"*{claim.place}.* {claim.statement}"
    yield f"*Rule.* {claim.rule}"
    for at, ((measured, verdict, reason, table, _), group) in enumerate(evidence):
        text = f"**{_capital(group.title)}: {verdict}.** {measured}\nReason: {reason}."
        text += f" Scale: {group.scale}."
        if group.tables and not claim.changes:
            text += f"\nNumbers: {_links(group)}."
        if group.runs:
            text += f" Runs: [{names[group.runs]}](#runs) ({len(group.runs)})."
        yield text
        if group.secondary:
            yield "<details><summary>Numbers</summary>"
        yield from filter(None, images[at : at + 1])
        if table:
            yield _table(table)
        if group.secondary:
            yield "</details>"
    if claim.changes:
        yield f"*What would change our mind.* {claim.changes}"
        yield "*Repeat or extend it* by"
        yield f"    {claim.command.format(**material.commands())}"
    elif not is_measured(evidence):
        yield "**Runs of this data folder: not measured.** This command makes the missing runs:"
        yield f"    {claim.command.format(**material.commands())}"


def _numbers(groups: Iterable[Group], columns: Mapping[str, str]) -> Iterator[str]:
    cells = _Cells()
    for group in groups:
        rows: list[Any] = group.cases.to_dict("records")
        yield f"### {', '.join(group.tables)}"
        yield f"{_capital(group.title)}. Scale: {group.scale}."
        yield _table(
            {heading: cells.format(form, **row) for heading, form in columns.items()}
            for row in rows
        )


def _links(group: Group) -> str:
    return ", ".join(_link(name, name) for name in group.tables)


def _link(text: str, heading: str, page: str = "") -> str:
    letters = [letter for letter in heading.lower() if letter.isalnum() or letter in " -"]
    return f"[{text}]({page}#{''.join(letters).replace(' ', '-')})"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
