"""A claim, what was measured about it, and whether it holds."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What measurements say about a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "cannot be told from these runs"
    MISSING = "not measured"


@dataclass(frozen=True)
class Grid:
    """A table as texts.

    Attributes:
        headings: One for each column.
        lines: The rows, each as long as the headings.
    """

    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Evidence:
    """What one kind of material says about a claim.

    Attributes:
        material: What was looked at: "12 recorded splits", "the paper's printed tables".
        scale: Network, images, epochs and accuracy table; empty for what others printed.
        measured: What was found, in sentences with their numbers.
        verdict: What follows by the claim's rule.
        reason: Why, in a sentence.
        grid: The numbers behind it, or None.
        runs: The runs they are from.
    """

    material: str
    scale: str
    measured: str
    verdict: Verdict
    reason: str
    grid: Grid | None = None
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or a question beyond it.

    Attributes:
        title: What is claimed, in a few words.
        section: Where: "4.2, Figure 3", or "beyond the paper".
        statement: What is said there, in our words.
        rule: How a verdict follows from what is measured.
        evidence: What each kind of material says; empty where nothing was measured.
        supply: The command that would supply what is missing.
    """

    title: str
    section: str
    statement: str
    rule: str
    evidence: tuple[Evidence, ...]
    supply: str
