"""How a verdict follows from numbers: two rules for all claims."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fewshot_core.analysis import wilson_interval
from fewshot_core.analysis.statistics import CONFIDENCE
from fewshot_core.reproduction.claims import Verdict

SHARE_RULE = (
    "it holds where Wilson's interval of the share lies above one half, does not hold where it "
    "lies below, and cannot be told in between"
)
"""What the page says once, and claims call the share rule."""


@dataclass(frozen=True)
class Tally:
    """How often something was so.

    Attributes:
        yes: How often.
        of: Of how many cases.
    """

    yes: int
    of: int

    @classmethod
    def count(cls, cases: Iterable[bool]) -> "Tally":
        """Count the cases that are so."""
        known = [bool(case) for case in cases]
        return cls(sum(known), len(known))

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the share, from 0 to 1; all of it where there is no case."""
        return wilson_interval(self.yes / self.of, self.of) if self.of else (0.0, 1.0)

    @property
    def verdict(self) -> Verdict:
        """Whether it is so for most cases; see ``SHARE_RULE``."""
        low, high = self.interval
        return _beside(low, high, 0.5) if self.of else Verdict.MISSING

    @property
    def text(self) -> str:
        """The count with its interval: "4 of 4 (100%, interval 51% to 100%)"."""
        if not self.of:
            return "0 of 0"
        low, high = self.interval
        return (
            f"{self.yes} of {self.of} ({self.yes / self.of:.0%}, interval {low:.0%} to {high:.0%})"
        )

    @property
    def reason(self) -> str:
        """Why the verdict is what it is."""
        low, high = self.interval
        ends = f"the interval of the share, {low:.0%} to {high:.0%},"
        if self.verdict is Verdict.UNKNOWN:
            return f"{ends} has one half in it: {self.of} cases are too few, or too divided"
        return f"{ends} lies {'above' if low > 0.5 else 'below'} one half"


@dataclass(frozen=True)
class Mean:
    """A mean over repetitions with Student's interval.

    Attributes:
        value: The mean.
        interval: Its interval of 95%, or None for a single measurement.
        of: Of how many measurements.
    """

    value: float
    interval: tuple[float, float] | None
    of: int

    @classmethod
    def over(
        cls, values: Sequence[float], within: tuple[float, float] = (-math.inf, math.inf)
    ) -> "Mean":
        """Return the mean of at least one measurement, its interval cut at what is possible."""
        numbers = np.asarray(values, dtype=np.float64)
        mean = float(numbers.mean())
        if numbers.size < 2:
            return cls(mean, None, numbers.size)
        spread = float(numbers.std(ddof=1)) / numbers.size**0.5
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, numbers.size - 1)) * spread
        ends = max(mean - reach, within[0]), min(mean + reach, within[1])
        return cls(mean, ends, numbers.size)

    def above(self, limit: float) -> Verdict:
        """Say whether it is above a limit, as far as its interval tells."""
        return Verdict.UNKNOWN if self.interval is None else _beside(*self.interval, limit)

    def below(self, limit: float) -> Verdict:
        """Say whether it is below a limit, as far as its interval tells."""
        last_change = {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS}
        found = self.above(limit)
        return last_change.get(found, found)

    def text(self, digits: int = 2) -> str:
        """Return the mean with its interval: "0.21 (interval -0.10 to 0.52)"."""
        if self.interval is None:
            return f"{self.value:.{digits}f} (one measurement, no interval)"
        low, high = self.interval
        return f"{self.value:.{digits}f} (interval {low:.{digits}f} to {high:.{digits}f})"

    def reason(self, limit: float, digits: int = 2) -> str:
        """Say why the verdict beside a limit is what it is."""
        if self.interval is None:
            return "one measurement has no interval: repeat with other seeds or splits"
        low, high = self.interval
        ends = f"the interval of the mean, {low:.{digits}f} to {high:.{digits}f},"
        if low <= limit <= high:
            return f"{ends} has {limit:g} in it"
        return f"{ends} lies {'above' if low > limit else 'below'} {limit:g}"


def _beside(low: float, high: float, limit: float) -> Verdict:
    if low > limit:
        return Verdict.HOLDS
    return Verdict.FAILS if high < limit else Verdict.UNKNOWN
