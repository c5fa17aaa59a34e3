"""Claims, and the two rules that turn numbers into a verdict."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from scipy import stats

from fewshot_core.analysis import wilson_interval
from fewshot_core.reproduction.evidence import Material, Source

CONFIDENCE = 0.95
"""The confidence of all intervals, which is also the default of ``wilson_interval``."""

SHARE_RULE = (
    "the claim holds if Wilson's interval of the share lies above one half, does not hold if it "
    "lies below, and is inconclusive otherwise"
)
"""Stated once on the page; claims refer to it as the share rule."""


class Verdict(StrEnum):
    """What the evidence says about a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "inconclusive"
    MISSING = "not measured"


_OPPOSITE = {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS}


class Judgement(NamedTuple):
    """A verdict and the reason for it."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Evidence:
    """What one source says about a claim.

    Attributes:
        measured: The result, in sentences with numbers.
        judgement: The verdict by the claim's rule, and the reason.
        table: The numbers behind it: headings, then rows, with " | " between cells.
        source: What was examined.
    """

    measured: str
    judgement: Judgement
    table: tuple[str, ...]
    source: Source


@dataclass(frozen=True)
class Claim:
    """A claim of the paper or a question beyond it, and the rule of its verdict.

    Attributes:
        title: The claim in a few words.
        section: Its place: "4.2, Figure 3", or "beyond the paper".
        statement: What the paper says, in our words.
        rule: How the verdict follows from what is measured.
        measure: Computes the evidence; nothing where no run is suitable.
        supply: The command that makes the missing runs.
    """

    title: str
    section: str
    statement: str
    rule: str
    measure: Callable[[Material], Iterable[Evidence]]
    supply: Callable[[Material], str]


@dataclass(frozen=True)
class Tally:
    """A number of cases that satisfy a condition, out of all cases; the share rule."""

    yes: int
    of: int

    @classmethod
    def count(cls, cases: Iterable[bool]) -> "Tally":
        """Count the cases that are true."""
        known = [bool(case) for case in cases]
        return cls(sum(known), len(known))

    @property
    def judgement(self) -> Judgement:
        """Compare Wilson's interval of the share with one half; see ``SHARE_RULE``."""
        if not self.of:
            return Judgement(Verdict.MISSING, "there are no cases")
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
        numbers = np.asarray(values, dtype=np.float64)
        mean = float(numbers.mean())
        if numbers.size < 2:
            return cls(mean, None)
        error = float(numbers.std(ddof=1)) / numbers.size**0.5
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, numbers.size - 1)) * error
        return cls(mean, (max(mean - reach, within[0]), min(mean + reach, within[1])))

    def above(self, limit: float, digits: int = 2) -> Judgement:
        """Judge by the interval whether the mean is above a limit."""
        if self.interval is None:
            reason = "a single measurement has no interval: repeat with other seeds or splits"
            return Judgement(Verdict.UNKNOWN, reason)
        low, high = self.interval
        ends = f"mean, {low:.{digits}f} to {high:.{digits}f}"
        return _compare(self.interval, limit, ends, f"{limit:g}")

    def below(self, limit: float, digits: int = 2) -> Judgement:
        """Judge by the interval whether the mean is below a limit."""
        verdict, reason = self.above(limit, digits)
        return Judgement(_OPPOSITE.get(verdict, verdict), reason)

    def text(self, digits: int = 2) -> str:
        """Format the mean with its interval: "0.21 (interval -0.10 to 0.52)"."""
        if self.interval is None:
            return f"{self.value:.{digits}f} (one measurement, no interval)"
        low, high = self.interval
        return f"{self.value:.{digits}f} (interval {low:.{digits}f} to {high:.{digits}f})"

    def __str__(self) -> str:
        """Format the mean with two digits."""
        return self.text()


def _compare(interval: tuple[float, float], limit: float, ends: str, name: str) -> Judgement:
    low, high = interval
    if low > limit:
        return Judgement(Verdict.HOLDS, f"the interval of the {ends}, lies above {name}")
    if high < limit:
        return Judgement(Verdict.FAILS, f"the interval of the {ends}, lies below {name}")
    return Judgement(Verdict.UNKNOWN, f"the interval of the {ends}, contains {name}")
