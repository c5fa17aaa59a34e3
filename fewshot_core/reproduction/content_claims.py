"""Section 4.2: how large sub-spaces are, and where the top 1% lies in them."""

from collections.abc import Sequence

from fewshot_core.reproduction.claims import Claim, Evidence, Grid
from fewshot_core.reproduction.contents import Contents, contents
from fewshot_core.reproduction.material import RANDOM, Material, Split, SplitGroup
from fewshot_core.reproduction.rules import Tally

BALANCED = ("gradnorm", "jacobcov", "snip", "grasp", "ntk")
"""The metrics that the paper says give sub-spaces of like sizes."""

LOPSIDED = ("gradientmatching", "synflow", "linear_regions", "params")
"""The metrics that the paper says put about half of the space into one sub-space."""

SUPPLY = "fewshot split --metric all --batch-size 64"
"""What makes the splits."""


def content_claims(material: Material) -> list[Claim]:
    """Return the claims on what is in a split."""
    groups = [
        (group, [contents(split, material) for split in group.splits])
        for group in material.groups()
    ]
    return [
        Claim(
            "Five metrics split into sub-spaces of like sizes",
            "4.2, Figure 3 and Appendix D",
            f"Splits by {', '.join(BALANCED)} have balanced sub-spaces.",
            _size_rule("balanced"),
            _sizes(groups, BALANCED, lopsided=False),
            SUPPLY,
        ),
        Claim(
            "Four metrics put about half of the space into one sub-space",
            "4.2, Figure 3 and Appendix D",
            f"Splits by {', '.join(LOPSIDED)} have some small sub-spaces and one with about half "
            "of all architectures.",
            _size_rule("lopsided"),
            _sizes(groups, LOPSIDED, lopsided=True),
            SUPPLY,
        ),
        Claim(
            "The top 1% lies in several sub-spaces",
            "4.2, Figure 3 and Appendix D",
            "With every metric the best 1% of the architectures are in more than one sub-space.",
            "A case is a split by a metric (random ones are shown, not counted); it counts where "
            "two sub-spaces or more hold some of the top 1%. Share rule.",
            tuple(_several(group, found) for group, found in groups),
            SUPPLY,
        ),
        Claim(
            "Larger sub-spaces hold more of the top 1%",
            "4.2",
            "Where one sub-space has more of the architectures, it also has more of the top 1%.",
            "A case is a split by a metric; it counts where Kendall's tau between the sizes of its "
            "sub-spaces and their counts of the top 1% is above 0. Share rule.",
            tuple(_larger(group, found) for group, found in groups),
            SUPPLY,
        ),
    ]


def _size_rule(case: str) -> str:
    return (
        "A split is *lopsided* where the share of its largest sub-space is nearer to that of a "
        "tree with one operation against four at all nodes (51.2% for three edges) than to that "
        "of one with two against three (21.6%), else *balanced*. A case is a split by one of these "
        f"metrics; it counts where it is {case}. Share rule."
    )


def _sizes(
    groups: Sequence[tuple[SplitGroup, list[Contents]]], metrics: Sequence[str], lopsided: bool
) -> tuple[Evidence, ...]:
    evidence = []
    for group, everything in groups:
        found = [one for one in everything if one.split.metric in metrics]
        if found:
            tally = Tally.count(one.lopsided is lopsided for one in found)
            others = [one for one in found if one.lopsided is not lopsided]
            word = "lopsided" if lopsided else "balanced"
            measured = f"{tally.text} are {word}.{_otherwise(others)}"
            grid = _grid(
                ("sizes, S1 to S8", "largest", "is"),
                [
                    (one, (_numbers(one.sizes), f"{one.largest_share:.1%}", _kind(one)))
                    for one in found
                ],
            )
            runs = tuple(one.split.run_id for one in found if one.split.run_id)
            material = f"{len(found)} of the {group.material}"
            evidence.append(
                Evidence(material, group.scale, measured, tally.verdict, tally.reason, grid, runs)
            )
    return tuple(evidence)


def _otherwise(others: Sequence[Contents]) -> str:
    if not others:
        return ""
    names = dict.fromkeys(one.split.metric for one in others)
    return f" Otherwise: {', '.join(names)}."


def _kind(one: Contents) -> str:
    return "lopsided" if one.lopsided else "balanced"


def _several(group: SplitGroup, found: list[Contents]) -> Evidence:
    counted = [one for one in found if one.split.metric != RANDOM]
    tally = Tally.count(one.with_top > 1 for one in counted)
    most = max(counted, key=lambda one: one.richest_share, default=None)
    measured = f"So in {tally.text}."
    if most is not None:
        least, last = (pick(one.with_top for one in counted) for pick in (min, max))
        measured += (
            f" {least} to {last} sub-spaces hold some of it; the most that one holds is "
            f"{most.richest_share:.0%} ({most.split.metric})."
        )
    grid = _grid(
        ("top 1%, S1 to S8", "sub-spaces with some", "with 90% of it", "most in one"),
        [
            (
                one,
                (
                    _numbers(one.tops),
                    str(one.with_top),
                    str(one.for_most),
                    f"{one.richest_share:.0%}",
                ),
            )
            for one in found
        ],
    )
    return Evidence(
        group.material, group.scale, measured, tally.verdict, tally.reason, grid, group.runs
    )


def _larger(group: SplitGroup, found: list[Contents]) -> Evidence:
    counted = [one for one in found if one.split.metric != RANDOM]
    tally = Tally.count(one.size_and_top > 0 for one in counted)
    most = Tally.count(one.largest_has_most for one in counted)
    measured = (
        f"Tau is above 0 in {tally.text}. The largest sub-space holds the most of the top in "
        f"{most.yes} of {most.of}."
    )
    grid = _grid(
        ("tau of size and top", "of the space in the largest", "of the top in it"),
        [
            (one, (f"{one.size_and_top:.2f}", f"{one.largest_share:.0%}", _in_largest(one)))
            for one in found
        ],
    )
    return Evidence(
        group.material, group.scale, measured, tally.verdict, tally.reason, grid, group.runs
    )


def _in_largest(one: Contents) -> str:
    largest = max(range(len(one.sizes)), key=lambda place: (one.sizes[place], one.tops[place]))
    return f"{one.tops[largest] / sum(one.tops):.0%}"


def _grid(headings: tuple[str, ...], rows: Sequence[tuple[Contents, tuple[str, ...]]]) -> Grid:
    """Return a table with a row for each split."""
    lines = tuple(
        (one.split.metric, one.split.dataset, one.split.seed_text, _ties(one.split), *texts)
        for one, texts in rows
    )
    return Grid(("metric", "data set", "seed", "ties", *headings), lines)


def _ties(split: Split) -> str:
    return "–" if split.arbitrary is None else str(split.arbitrary)


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
