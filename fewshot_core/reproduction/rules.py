"""The form of a claim, and the two rules that turn numbers into a verdict."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd

from fewshot_core.analysis import CONFIDENCE, wilson_interval
from fewshot_core.reproduction.material import Group, Material, Row

LEAST_SEEDS = 3
"""Seeds that a verdict needs at least: as many as the paper repeats its searches with."""

SHARE_RULE = (
    "the claim holds if both Wilson's interval of the share of all cases and Student's interval of "
    f"its mean over seeds lie above one half, does not hold if both lie below, and is inconclusive "
    f"otherwise or with fewer than {LEAST_SEEDS} seeds (printed tables are counted by Wilson's "
    "interval alone)"
)
"""Stated once on the page; claims refer to it as the share rule."""

PRINTED = Group("the paper's Tables 1 to 3, as printed", "counted, not measured here")


class Verdict(StrEnum):
    """What the evidence says about a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "inconclusive"
    MISSING = "not measured"


class Finding(NamedTuple):
    """What is measured, in sentences, and the verdict by the rule with its reason.

    The table has numbers that are not of a single case; the points of the figure have the columns
    of ``fewshot_core.plots.dots_svg``.
    """

    measured: str
    verdict: Verdict
    reason: str
    table: Sequence[Row] = ()
    points: pd.DataFrame | None = None


@dataclass(frozen=True)
class Claim:
    """A claim of the paper or a question beyond it, and the rule of its verdict.

    Attributes:
        section: Its place: "4.2, Figure 3", or "beyond the paper".
        statement: What the paper says, in our words.
        groups: Selects the cases, by group; none where no run is suitable.
        evaluate: Applies the rule to the cases of a group.
        command: The command that makes the missing runs, with a placeholder of
            ``Material.commands``.
        printed: Applies the rule to the tables of the paper.
        changes: What would change the verdict; empty for claims of the paper.
        axis: What the figure of its points shows, with its unit.
    """

    title: str
    section: str
    statement: str
    rule: str
    groups: Callable[[Material], Iterable[Group]]
    evaluate: Callable[[pd.DataFrame], Finding]
    command: str
    printed: Callable[[], Finding] | None = None
    changes: str = ""
    axis: str = ""

    @property
    def place(self) -> str:
        """Its place in words: "Section 4.2, Figure 3", or "Beyond the paper"."""
        numbered = self.section[0].isdigit()
        return f"Section {self.section}" if numbered else self.section.capitalize()

    def evidence(self, material: Material) -> Iterator[tuple[Finding, Group]]:
        """Evaluate the claim on each group."""
        for group in self.groups(material):
            yield self.evaluate(group.cases), group
        if self.printed is not None:
            yield self.printed(), PRINTED


def share_of(cases: Iterable[bool]) -> tuple[str, tuple[float, float]]:
    """Count the cases that are true: "4 of 4 (100%, interval 51% to 100%)", and Wilson's interval.

    There is at least one case.
    """
    known = list(cases)
    share = sum(known) / len(known)
    low, high = wilson_interval(share, len(known))
    text = f"{sum(known)} of {len(known)} ({share:.0%}, interval {low:.0%} to {high:.0%})"
    return text, (low, high)


def satisfies(cases: pd.DataFrame, condition: str) -> "pd.Series[bool]":
    """Evaluate a condition on the columns of cases."""
    return pd.Series(cases.eval(condition), index=cases.index, dtype=bool)


def by_share(condition: str, text: str) -> Callable[[pd.DataFrame], Finding]:
    """Build the evaluation of a claim by ``SHARE_RULE``.

    The condition is an expression of the columns of cases; the text refers to the number of cases
    that satisfy it as ``{share}``, and to the mean of a column over seeds by its name.
    """

    def evaluate(cases: pd.DataFrame) -> Finding:
        if cases.empty:
            return Finding(text.format(share="0 of 0"), Verdict.MISSING, "there are no cases")
        seed = cases["seed"] if "seed" in cases else pd.Series(cases.index, cases.index)
        means = {
            str(name): Mean.over(cases[name].groupby(seed).mean())
            for name in cases.select_dtypes("number")
        }
        satisfied = satisfies(cases, condition)
        share, (low, high) = share_of(satisfied)
        verdict, reason = _compare((low, high), 0.5, f"share, {low:.0%} to {high:.0%}", "one half")
        if verdict is Verdict.UNKNOWN:
            reason += f": {len(cases)} cases are too few or too divided"
        elif "seed" in cases:
            verdict, reason = _over_seeds(
                satisfied.astype(float).groupby(cases["seed"]).mean(), verdict, reason
            )
        return Finding(text.format(share=share, **means), verdict, reason)

    return evaluate


def _over_seeds(shares: "pd.Series[float]", verdict: Verdict, reason: str) -> tuple[Verdict, str]:
    """Confirm the verdict of all cases by the shares of seeds, or say why it is not confirmed."""
    if len(shares) < LEAST_SEEDS:
        count = f"{len(shares)} seed{'s' * (len(shares) > 1)}"
        return Verdict.UNKNOWN, f"{reason}, but the cases are of {count}: repeat with others"
    mean = Mean.over(shares, (0, 1))
    if mean.compare(0.5)[0] is verdict:
        return verdict, f"{reason}, and so does that of its mean over {len(shares)} seeds"
    return Verdict.UNKNOWN, f"{reason}, but that of its mean over seeds, {mean.ends()}, does not"


@dataclass(frozen=True)
class Mean:
    """A mean with Student's interval, which is None for a single measurement."""

    value: float
    interval: tuple[float, float] | None

    @classmethod
    def over(
        cls,
        values: Iterable[float],
        within: tuple[float, float] = (-math.inf, math.inf),
        confidence: float = CONFIDENCE,
    ) -> "Mean":
        """Compute the mean of at least one value, its interval clipped to the possible range."""
        from scipy.special import stdtrit  # takes half a second to load

        known = list(values)
        mean = float(np.mean(known))
        if len(known) < 2:
            return cls(mean, None)
        error = np.std(known, ddof=1) / math.sqrt(len(known))
        reach = float(stdtrit(len(known) - 1, (1 + confidence) / 2) * error)
        return cls(mean, (max(mean - reach, within[0]), min(mean + reach, within[1])))

    @classmethod
    def by_seed(
        cls,
        cases: pd.DataFrame,
        values: "pd.Series[float]",
        within: tuple[float, float] = (-math.inf, math.inf),
        confidence: float = CONFIDENCE,
    ) -> "Mean":
        """Compute the mean over seeds of the mean of their cases, which are not independent."""
        return cls.over(values.groupby(cases["seed"]).mean(), within, confidence)

    def compare(
        self, limit: float, digits: int = 2, holds_above: bool = True
    ) -> tuple[Verdict, str]:
        """Compare the interval with a limit, above (or below) which the claim holds."""
        if self.interval is None:
            reason = "a single measurement has no interval: repeat with other seeds or splits"
            return Verdict.UNKNOWN, reason
        ends = f"mean, {self.ends(digits)}"
        return _compare(self.interval, limit, ends, f"{limit:g}", holds_above)

    @property
    def span(self) -> tuple[float, float]:
        """The interval, or the value twice where there is none."""
        return self.interval or (self.value, self.value)

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

    def __format__(self, form: str) -> str:
        return format(self.value, form) if form else self.text()

    __str__ = text


def _compare(
    interval: tuple[float, float], limit: float, ends: str, name: str, holds_above: bool = True
) -> tuple[Verdict, str]:
    low, high = interval
    if low <= limit <= high:
        return Verdict.UNKNOWN, f"the interval of the {ends}, contains {name}"
    above = low > limit
    verdict = Verdict.HOLDS if above == holds_above else Verdict.FAILS
    side = "above" if above else "below"
    return verdict, f"the interval of the {ends}, lies {side} {name}"
