"""Claims, and the two rules that turn numbers into a verdict."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from fewshot_core.analysis import CONFIDENCE, wilson_interval
from fewshot_core.reproduction.evidence import Material, Source

SHARE_RULE = (
    "the claim holds if Wilson's interval of the share lies above one half, does not hold if it "
    "lies below, and is inconclusive otherwise"
)
"""Stated once on the page; claims refer to it as the share rule."""

PRINTED = Source("the paper's Tables 1 to 3, as printed", "counted, not measured here")


class Verdict(StrEnum):
    """What the evidence says about a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "inconclusive"
    MISSING = "not measured"


class Decision(NamedTuple):
    """A verdict and the reason for it."""

    verdict: Verdict
    reason: str


Row = dict[str, object]
"""The cells of a table's row, by heading."""


class Finding(NamedTuple):
    """The evidence of one source: in sentences, the decision by the rule, and the numbers."""

    measured: str
    decision: Decision
    table: list[Row]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper or a question beyond it, and the rule of its verdict.

    Attributes:
        title: The claim in a few words.
        section: Its place: "4.2, Figure 3", or "beyond the paper".
        statement: What the paper says, in our words.
        rule: How the verdict follows from what is measured.
        cases: Lists the cases in the material, by source; none where no run is suitable.
        evaluate: Applies the rule to the cases of one source.
        command: The command that makes the missing runs, with a placeholder of
            ``Material.commands``.
        printed: Applies the rule to the tables of the paper.
    """

    title: str
    section: str
    statement: str
    rule: str
    cases: Callable[[Material], Iterable[tuple[Any, Source]]]
    evaluate: Callable[[Any], Finding]
    command: str
    printed: Callable[[], Finding] | None = None

    def evidence(self, material: Material) -> Iterator[tuple[Finding, Source]]:
        """Evaluate the claim on each source."""
        for cases, source in self.cases(material):
            yield self.evaluate(cases), source
        if self.printed is not None:
            yield self.printed(), PRINTED


@dataclass(frozen=True)
class Tally:
    """A number of cases that satisfy a condition, out of all cases; the share rule."""

    yes: int
    of: int

    @classmethod
    def count(cls, cases: Iterable[bool]) -> "Tally":
        """Count the cases that are true."""
        known = list(cases)
        return cls(sum(map(bool, known)), len(known))

    @property
    def decision(self) -> Decision:
        """Compare Wilson's interval of the share with one half; see ``SHARE_RULE``."""
        if not self.of:
            return Decision(Verdict.MISSING, "there are no cases")
        low, high = wilson_interval(self.yes / self.of, self.of)
        found = _compare((low, high), 0.5, f"share, {low:.0%} to {high:.0%}", "one half")
        if found.verdict is not Verdict.UNKNOWN:
            return found
        return found._replace(reason=f"{found.reason}: {self.of} cases are too few or too divided")

    def __str__(self) -> str:
        """Format the count with its interval: "4 of 4 (100%, interval 51% to 100%)"."""
        if not self.of:
            return "0 of 0"
        share = self.yes / self.of
        low, high = wilson_interval(share, self.of)
        return f"{self.yes} of {self.of} ({share:.0%}, interval {low:.0%} to {high:.0%})"


@dataclass(frozen=True)
class Mean:
    """A mean with Student's interval, which is None for a single measurement."""

    value: float
    interval: tuple[float, float] | None

    @classmethod
    def over(
        cls, values: Sequence[float], within: tuple[float, float] = (-math.inf, math.inf)
    ) -> "Mean":
        """Compute the mean of at least one value, its interval clipped to the possible range."""
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(mean, None)
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values))
        return cls(mean, (max(mean - reach, within[0]), min(mean + reach, within[1])))

    def compare(self, limit: float, digits: int = 2, holds_above: bool = True) -> Decision:
        """Compare the interval with a limit, above (or below) which the claim holds."""
        if self.interval is None:
            reason = "a single measurement has no interval: repeat with other seeds or splits"
            return Decision(Verdict.UNKNOWN, reason)
        ends = f"mean, {self.ends(digits)}"
        return _compare(self.interval, limit, ends, f"{limit:g}", holds_above)

    def ends(self, digits: int = 2) -> str:
        """Format the interval: "-0.10 to 0.52"."""
        if self.interval is None:
            return "–"
        low, high = self.interval
        return f"{low:.{digits}f} to {high:.{digits}f}"

    def text(self, digits: int = 2) -> str:
        """Format the mean with its interval: "0.21 (interval -0.10 to 0.52)"."""
        none = self.interval is None
        interval = "one measurement, no interval" if none else f"interval {self.ends(digits)}"
        return f"{self.value:.{digits}f} ({interval})"

    def __str__(self) -> str:
        """Format the mean with two digits."""
        return self.text()


def _compare(
    interval: tuple[float, float], limit: float, ends: str, name: str, holds_above: bool = True
) -> Decision:
    low, high = interval
    if low <= limit <= high:
        return Decision(Verdict.UNKNOWN, f"the interval of the {ends}, contains {name}")
    above = low > limit
    verdict = Verdict.HOLDS if above == holds_above else Verdict.FAILS
    side = "above" if above else "below"
    return Decision(verdict, f"the interval of the {ends}, lies {side} {name}")
