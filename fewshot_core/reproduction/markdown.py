"""Claims as a page in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill

from fewshot_core.analysis import RANDOM_TREES
from fewshot_core.reproduction.claims import Claim, Evidence, Grid, Verdict
from fewshot_core.reproduction.informing import table_facts
from fewshot_core.reproduction.material import Material
from fewshot_core.reproduction.rules import SHARE_RULE

_HEAD = """\
# Reproduction: Section 4 of the paper, claim by claim

Made from recorded runs by

    {command}

Every figure and every verdict is computed from them; the same runs give the same page. The paper is
"Analyzing Few-Shot Neural Architecture Search in a Metric-Driven Framework" (AutoML 2024).

A claim *holds*, *does not hold* or *cannot be told from these runs* by a rule that stands with it
and looks at nothing but the numbers below it. All intervals are of 95%. Most claims go by the
*share rule*: cases are counted, and {share_rule} (to hold takes four of four, or seven of eight).
Cases that share a split, sub-spaces or a table are not independent; intervals are then rather too
narrow.

Splits and searches of different scale are never counted together, and what they show at a reduced
scale need not be so at the paper's. Accuracies of architectures are looked up in a table, in
percent. {accuracies}"Seed" is that of the metric's draws, the batch and the weights; "ties" are the
nodes of a tree where the grouping is arbitrary, since operations were equally alike.
"""

_WIDTH = 100

_VALIDATION = (
    "The paper's are test accuracies; those looked up here are validation accuracies, on another "
    "scale, so that counts and orders compare but accuracies do not. "
)

_TAIL = """\
## Reproducing the paper itself

The preset `paper` has the hyperparameters of Appendix A. All of the paper's splits and searches are
one grid; the searches of Section 4.3 are longer ones in the sub-supernets of one split:

```sh
fewshot train --preset paper                              # the supernet of Appendix A.2
fewshot grid docs/paper-grid.toml --plan                  # what would be done
fewshot grid docs/paper-grid.toml --cluster slurm         # 27 splits and 2,592 searches
fewshot search --no-splitting --algorithm snas --preset paper --seeds 777,888,999
fewshot search --split RUN --algorithm snas --preset paper --set epochs=600 --seeds 777,888,999
fewshot reproduce --published splits.json --table nats_bench
```

`fewshot split --checkpoint FILE` makes a split from a trained supernet, as the paper does.
[What the paper's grid costs](cluster.md) follows from the time of a step on your machine, and
`--estimate` says it for a single search.

Two such pages come with the project: [with the built-in table](reproduction.md), which anybody can
make again, and [with test accuracies and published splits](reproduction-test-accuracy.md).

Read on: [the published splits](published-splits.md), and how much of a split by `gradientmatching`
is chance over weights and images; [how much a split tells](analysis.md);
[which sub-supernet](halving.md); [the paper's tables](results.md).
"""


def report_markdown(claims: Sequence[Claim], material: Material, command: str) -> str:
    """Return the page.

    Args:
        claims: What ``find_claims`` returns.
        material: What they were judged on.
        command: The command that makes the page, without paths of this machine.
    """
    parts = [
        _head(material, command),
        "## At a glance\n",
        _table(_glance(claims)),
        "## What there is\n",
        *_inventory(material),
        *(part for claim in claims for part in _claim(claim, _run_sets(claims))),
        _TAIL,
        "## Runs\n",
        "\n".join(_runs(_run_sets(claims))),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _head(material: Material, command: str) -> str:
    validation = any(one.kind == "validation" for one in material.accuracies.values())
    accuracies = _VALIDATION if validation else ""
    text = _HEAD.format(command=command, share_rule=SHARE_RULE, accuracies=accuracies)
    return "\n\n".join(map(_wrapped, text.split("\n\n")))


def _wrapped(paragraph: str) -> str:
    """Return a paragraph in lines that fit; one that is indented is left as it is."""
    if paragraph.startswith(" "):
        return paragraph
    return fill(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _glance(claims: Sequence[Claim]) -> Grid:
    lines = []
    for claim in claims:
        judged = [(one.material, f"**{one.verdict}**") for one in claim.evidence]
        if not _measured(claim):
            judged.insert(0, ("runs of this data folder", Verdict.MISSING.value))
        for number, one in enumerate(judged):
            first = (_link(claim), claim.section) if number == 0 else ("", "")
            lines.append((*first, *one))
    return Grid(("claim", "section", "judged on", "verdict"), tuple(lines))


def _measured(claim: Claim) -> bool:
    """Whether anything about a claim was measured in runs."""
    return any(one.runs for one in claim.evidence)


def _inventory(material: Material) -> Iterator[str]:
    yield "\n".join(f"* {text}." for text in _what_there_is(material))
    yield (
        "What the accuracies say without any run: the top 1%, the best tree of three edges and two "
        f"groups (exact), and {RANDOM_TREES:,} random trees of that shape.\n"
    )
    yield _table(table_facts(material))


def _what_there_is(material: Material) -> Iterator[str]:
    tables = dict.fromkeys(
        f"{one.table} ({one.kind} accuracy, SHA-256 {one.fingerprint[:12]})"
        for one in material.accuracies.values()
    )
    yield f"Accuracy tables: {'; '.join(tables)}"
    for group in material.groups():
        yield f"{group.material}: {group.scale}"
    for kind in material.kinds():
        count = len(material.searched_by(kind))
        yield f"{count} searched splits on {kind.dataset}: {kind.scale}"
    if not material.searched:
        yield "No split with a finished search in every sub-space"
    for text in material.incomplete:
        yield f"Incomplete, not counted: {text}"


def _run_sets(claims: Sequence[Claim]) -> dict[tuple[str, ...], str]:
    """Return a name for every set of runs that something was measured in."""
    sets = dict.fromkeys(one.runs for claim in claims for one in claim.evidence if one.runs)
    return {runs: f"R{number}" for number, runs in enumerate(sets, start=1)}


def _runs(sets: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    for runs, name in sets.items():
        yield f"* {name}: {', '.join(f'`{run}`' for run in runs)}"
    if not sets:
        yield "Nothing was measured in runs."


def _claim(claim: Claim, sets: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    yield f"## {claim.title}\n"
    yield (
        f"*Section {claim.section}.* {claim.statement}\n"
        if claim.section[0].isdigit()
        else (f"*{claim.section.capitalize()}.* {claim.statement}\n")
    )
    yield f"*Rule.* {claim.rule}\n"
    for one in claim.evidence:
        yield from _one(one, sets)
    if not _measured(claim):
        yield "**Runs of this data folder: not measured.** This would supply what is missing:\n"
        yield f"    {claim.supply}\n"


def _one(one: Evidence, sets: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    yield f"**{_capital(one.material)}: {one.verdict}.** {one.measured}\n"
    runs = f" Runs: [{sets[one.runs]}](#runs) ({len(one.runs)})." if one.runs else ""
    yield f"Because {one.reason}. Scale: {one.scale}.{runs}\n"
    if one.grid is not None and one.grid.lines:
        yield _table(one.grid)


def _table(grid: Grid) -> str:
    lines = [grid.headings, tuple("---" for _ in grid.headings), *grid.lines]
    return "\n".join(f"| {' | '.join(map(_escape, line))} |" for line in lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("|", r"\|")


def _link(claim: Claim) -> str:
    kept = [letter for letter in claim.title.lower() if letter.isalnum() or letter in " -"]
    return f"[{claim.title}](#{''.join(kept).replace(' ', '-')})"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
