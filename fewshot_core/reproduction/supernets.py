"""Published supernets: how well they rank all architectures, and where splitting them helps."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_core.analysis import SplitEstimate, join_estimate, judge_estimate, judge_in_split
from fewshot_core.analysis.results import markdown_table
from fewshot_core.bench import load_column, preview_table
from fewshot_core.errors import TableError
from fewshot_core.reproduction.material import Accuracies
from fewshot_core.search.proxy import Correlation, RankCorrelation
from fewshot_core.space import NAS_BENCH_201, Part, SubSpace, partition_by_rule

DATASET = "cifar10"
"""The data set of the published supernets."""

_WHOLE = SubSpace.full()
DIVISIONS: Mapping[str, tuple[Part, ...]] = {
    "by the operation on edge 1<-0": tuple(_WHOLE.keep(0, [n]) for n in _WHOLE.enabled[0]),
    "by the number of convolutions": partition_by_rule("convolutions"),
}
"""How the published supernets were split: the first by few-shot NAS, the second decomposed."""

_PAIRS = (
    ("one_shot", "few_shot", "by the operation on edge 1<-0"),
    ("balanced_seed0", "decomposed_balanced_seed0", "by the number of convolutions"),
)
"""A supernet of the whole space, the split one, and the division that it was split by."""


def read_supernets(path: Path, accuracies: Accuracies) -> pd.DataFrame:
    """Compare the estimates in a CSV file with accuracies.

    Returns:
        One row for each estimate and division: estimate, division, tau, top (tau of the top 1%),
        regret (points), within (mean tau of the parts, weighted by their sizes), low and high (the
        lowest and the highest of these), between, and split_regret. The ends of the intervals of
        tau, top and between are in columns like tau_low and tau_high.

    Raises:
        TableError: If the file has no columns of estimates.
    """
    mapping = preview_table(path).mapping
    names = [column.name for column in mapping.others] if mapping else []
    if not names:
        raise TableError(f"{path.name}: expected columns of estimates, got none")
    rows = []
    for name in names:
        found = load_column(str(path), name).rename(columns={name: "estimate"})
        joined = join_estimate(found, accuracies.evaluator.accuracy)
        report = judge_estimate(joined, accuracies.evaluator.threshold)
        about = {
            "estimate": name,
            **_with_interval("tau", report.overall),
            **_with_interval("top", report.top),
            "regret": report.regret,
        }
        for division, parts in DIVISIONS.items():
            inside = judge_in_split(joined, parts)
            rows.append({**about, "division": division, **_of_division(inside)})
    return pd.DataFrame(rows)


def _with_interval(name: str, found: RankCorrelation | None) -> dict[str, float | None]:
    tau = found.kendall if found else Correlation(None, None, None)
    return {name: tau.value, f"{name}_low": tau.low, f"{name}_high": tau.high}


def _of_division(found: SplitEstimate) -> dict[str, Any]:
    known = found.sub_spaces.dropna(subset=["tau"])
    within = (known["tau"] * known["known"]).sum() / known["known"].sum()
    return {
        "within": within,
        "low": known["tau"].min(),
        "high": known["tau"].max(),
        **_with_interval("between", found.between),
        "split_regret": found.regret,
    }


def supernets_markdown(frame: pd.DataFrame, source: str, accuracies: Accuracies) -> list[str]:
    """Write the section of the report, as paragraphs of Markdown."""
    parts = [
        "## Published supernets",
        "*Section 4.3.* Few-shot NAS splits a supernet so that its estimates of architectures "
        f"become better. What published supernets estimated of all {NAS_BENCH_201.size:,} "
        f"architectures ({source}), compared with the {accuracies.text}: Kendall's tau over the "
        "space and among the top 1%; within the parts of a division (mean, lowest to highest), "
        "and between them, of the highest estimate in each part with the accuracy of its "
        "architecture, a coarse number for so few parts; and the regret of taking the "
        "architecture, or the part, with the highest estimate, in points. In brackets behind tau "
        "over the space, of the top and between parts: its 95% interval (Fieller, Hartley and "
        "Pearson, 1957), of which fewer than five pairs have none.",
        *_gains(frame),
    ]
    for division, rows in frame.groupby("division", sort=False):
        records = rows.to_dict("records")
        parts.append(f"Divided {division}:")
        parts.append(
            markdown_table(
                pd.DataFrame(
                    {
                        "estimate": rows["estimate"],
                        "tau": [_interval_text(row, "tau", 4) for row in records],
                        "top 1%": [_interval_text(row, "top") for row in records],
                        "regret": rows["regret"].map("{:.2f}".format),
                        "within": [
                            f"{row['within']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
                            for row in records
                        ],
                        "between": [_interval_text(row, "between") for row in records],
                        "regret of the part": rows["split_regret"].map("{:.2f}".format),
                    }
                ),
                "---",
            )
        )
    return parts


def _interval_text(row: Mapping[Hashable, Any], name: str, digits: int = 2) -> str:
    """Format a correlation with its interval: "0.55 (0.54 to 0.56)"."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    text = f"{value:.{digits}f}"
    return text if pd.isna(low) else f"{text} ({low:.{digits}f} to {high:.{digits}f})"


def _gains(frame: pd.DataFrame) -> Sequence[str]:
    """Say what each split supernet gains over the whole one, and where."""
    found = []
    table = frame.set_index(["estimate", "division"])
    for whole, split, division in _PAIRS:
        if (whole, division) in table.index and (split, division) in table.index:
            columns = ["tau", "top", "within", "between"]
            tau, top, within, between = (
                table.loc[(split, division), columns] - table.loc[(whole, division), columns]
            )
            found.append(
                f"Divided {division}, `{split}` ranks the space better than `{whole}` by "
                f"{tau:+.3f}: within the parts by {within:+.3f} on average, between them by "
                f"{between:+.3f}; among the top 1% by {top:+.3f}."
            )
    return found
