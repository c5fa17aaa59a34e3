"""Recorded searches in the form of the paper's tables: metric by algorithm (Tables 1 to 3).

A result is the test accuracy of the best architecture found by the searches in all sub-spaces of
a split together, for one seed; an incomplete set of searches is no result. A search belongs to
every split that contains its sub-space. A table is of searches with the same evidence, and the mean
in a cell is over seeds only: of one split.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.sub_spaces import sub_space_names
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError, UnknownNameError
from fewshot_core.evidence import Evidence, group_by_evidence
from fewshot_core.space import NAS_BENCH_201, SearchSpace, SubSpace

ALGORITHM_LABELS = {
    "darts-1st": "DARTS-1st",
    "darts-2nd": "DARTS-2nd",
    "snas": "SNAS",
    "dsnas": "DSNAS",
}
"""The columns of the tables, with their headings."""

METRIC_LABELS = {"linear_regions": "#lr", "params": "#params"}
"""The metrics that the tables abbreviate."""

NO_SPLITTING = "no splitting"
"""Row of the searches in the whole space."""

SOURCE = "Ly-Manson et al., AutoML 2024, Tables 1 to 3 (hal-04576139v2, CC BY 4.0)"

DIGITS = 2
"""Digits after the point; results that are equal in these are tied."""

PAPER_SEEDS = (777, 888, 999)
"""The seeds of NAS-Bench-201, for which SNAS and DSNAS are repeated (Section 4.1)."""

SEEDS = {"darts-1st": PAPER_SEEDS[:1], "darts-2nd": PAPER_SEEDS[:1]}
"""The seeds wanted of algorithms, otherwise all of ``PAPER_SEEDS``; any others count as well."""

SUB_SPACES = 8
"""Number of sub-spaces of a split, unless a search says otherwise."""

_KEYS = ["dataset", "metric", "algorithm", "seed", "evidence", "sub_space"]

REQUIRED = (*_KEYS, "test_accuracy")
"""The columns that recorded searches must have."""

COLUMNS = (
    *("dataset", "metric", "label", "algorithm", "mean", "std", "seeds", "infeasible", "best"),
    *("evidence", "notes", "split", "other_splits", "missing", "missing_seeds"),
    *("published_mean", "published_std", "published_best", "difference"),
)
"""The columns of a table of results."""

_OPTIONAL: dict[str, Any] = {
    "split": "",
    "split_evidence": None,
    "demo": False,
    "infeasible": False,
}
_RECORDED = (*REQUIRED, *_OPTIONAL, "sub_spaces", "run_id")

NO_RESULT = "–"

SHOWN = {
    "measured": "measured here",
    "published": "published in the paper",
    "both": "measured here (published in the paper, difference)",
}
"""Possible contents of the cells of an exported table."""


def published_results() -> pd.DataFrame:
    """Read the published tables, one row for each cell, in their order.

    Returns:
        Columns dataset, metric, algorithm, mean and std (percent; DARTS is deterministic and has no
        deviation) and best (whether it is the highest of its column).
    """
    return _published().copy()


@cache
def _published() -> pd.DataFrame:
    path = files("fewshot_core.analysis") / "published" / "tables.csv"
    with path.open(encoding="utf-8") as file:
        wide = pd.read_csv(file, comment="#")
    parts = [
        wide[["dataset", "metric"]].assign(
            algorithm=algorithm, mean=wide[algorithm], std=wide.get(f"{algorithm}_std", np.nan)
        )
        for algorithm in ALGORITHM_LABELS
    ]
    table = pd.concat(parts).sort_index(kind="stable", ignore_index=True)
    best = table.groupby(["dataset", "algorithm"])["mean"].transform(are_best)
    return table.assign(best=best.astype(bool))


def are_best(means: "pd.Series[float]") -> "pd.Series[bool]":
    """Mark the highest results, as printed; a missing one is not."""
    printed = means.round(DIGITS)
    return printed.notna() & (printed == printed.max())


def results_table(
    searches: pd.DataFrame,
    dataset: str,
    evidence: Evidence | None = None,
    accuracy: str = "test",
    space: SearchSpace = NAS_BENCH_201,
) -> pd.DataFrame:
    """Arrange recorded searches of one data set as in the paper, beside the published results.

    Args:
        searches: One row for each finished search: dataset, metric (``"no splitting"`` for the
            whole space), algorithm, seed, evidence (of the search), sub_space (S1, ...) and
            test_accuracy (percent) of the architecture found; optionally split (an identifier that
            distinguishes different splits of one metric), split_evidence, demo, sub_spaces (their
            number; 8 by default) and infeasible (whether a limit of the cost excludes what was
            found). Searches without accuracy do not count, except infeasible ones, as searched.
        dataset: The data set.
        evidence: Only searches with this evidence; by default the strongest there is.
        accuracy: Kind of the accuracies in test_accuracy. Validation accuracies are on another
            scale than the published ones and get no difference, nor do cells with infeasible
            searches.
        space: Their search space. The published results are of NAS-Bench-201.

    Returns:
        One row for each cell, by metric and algorithm in the order of the paper, others after
        them: dataset, metric, label, algorithm; mean and std (percent) over the seeds of one split,
        std being missing for a single one; seeds (their number, without those that found nothing
        feasible); infeasible (number of searches that found an architecture beyond a limit of the
        cost); best; evidence (in words) and
        notes (what a reader must know, in words); split (the one with the strongest evidence, then
        the most seeds) and other_splits (number of those with results besides); missing (searches
        still to run, in words, or empty) and missing_seeds; published_mean, published_std,
        published_best; and difference (mean minus published_mean, in percentage points). The
        deviation is divided by the number of results: most of the published ones can only be
        obtained from accuracies in the benchmark this way. The best of an algorithm is only sought
        among cells with the same evidence and as many seeds as any, and not in a smoke test.

    Raises:
        TableError: If a column is missing or a search is there twice.
    """
    rows = _checked(searches)
    known = rows["test_accuracy"].notna() | rows["infeasible"].astype(bool)
    rows = rows[(rows["dataset"] == dataset) & known]
    if evidence is None:
        evidence = next(iter(group_by_evidence((None, one) for one in rows["evidence"])), None)
    rows = rows[pd.Series([one == evidence for one in rows["evidence"]], rows.index, dtype=bool)]
    printed = published_results()
    beside = printed[(printed["dataset"] == dataset) & (space == NAS_BENCH_201)]
    published = beside.set_index(["metric", "algorithm"])
    metrics = _with_others(printed["metric"], rows["metric"])
    algorithms = _with_others(ALGORITHM_LABELS, rows["algorithm"])
    cells = []
    for metric, algorithm in product(metrics, algorithms):
        inside = rows[(rows["metric"] == metric) & (rows["algorithm"] == algorithm)]
        cell = {"dataset": dataset, "metric": metric, "algorithm": algorithm}
        cells.append(cell | _measured(inside, metric, SEEDS.get(algorithm, PAPER_SEEDS), evidence))
    table = pd.DataFrame(cells)
    columns = published[["mean", "std", "best"]].add_prefix("published_")
    table = table.join(columns, on=["metric", "algorithm"])
    table["published_best"] = table["published_best"].eq(True)
    table["best"] = False
    if evidence is not None and evidence.conclusive:
        for _, column in table.groupby("algorithm"):
            compared = _comparable(column)
            table.loc[compared.index, "best"] = are_best(compared["mean"])
    difference = (table["mean"] - table["published_mean"]).round(DIGITS + 2)
    alike = (accuracy == "test") & (table["infeasible"] == 0)
    table["difference"] = difference.where(alike)
    return table[list(COLUMNS)]


def _comparable(column: pd.DataFrame) -> pd.DataFrame:
    """Select the cells among which the best may be sought: two or more, or none."""
    most: pd.DataFrame = column[(column["seeds"] > 0) & (column["seeds"] == column["seeds"].max())]
    whole = most["metric"] == NO_SPLITTING
    for badges in sorted(set(most.loc[~whole, "badges"]), key=len):
        alike: pd.DataFrame = most[whole | (most["badges"] == badges)]
        if len(alike) > 1 and _SMOKE not in badges:
            return alike
    return most[:0]


_SMOKE = "split: smoke test"


def _checked(searches: pd.DataFrame) -> pd.DataFrame:
    if searches.empty:
        return pd.DataFrame(columns=[*REQUIRED, *_OPTIONAL])
    missing = [column for column in REQUIRED if column not in searches]
    if missing:
        got = ", ".join(map(str, searches.columns)) or "none"
        raise TableError(f"expected searches with a column {missing[0]!r}, got {got}")
    rows = searches.assign(
        **{name: usual for name, usual in _OPTIONAL.items() if name not in searches}
    )
    rows["split"] = rows["split"].fillna("")
    repeated = rows[rows.duplicated([*_KEYS, "split"])]
    if len(repeated):
        first = repeated.iloc[0]
        search = ", ".join(str(first[key]) for key in _KEYS if key != "evidence")
        raise TableError(
            f"expected every search once, got two of {search}; remove one, or name their splits in "
            "a column 'split'"
        )
    return rows


def _with_others(known: Iterable[str], found: Iterable[str]) -> list[str]:
    """List the known names in their order, then the other ones found."""
    first = list(dict.fromkeys(known))
    return [*first, *sorted(set(found) - set(first))]


@dataclass
class _Seeds:
    """The searches of one cell in one split: the best of complete seeds, and seeds begun.

    The best is missing (NaN) where all that a seed found is infeasible.
    """

    split: str
    badges: tuple[str, ...]
    rank: tuple[int, ...]
    demo: bool
    searches: int = 0
    infeasible: int = 0
    best: dict[int, float] = field(default_factory=dict)
    begun: dict[int, str] = field(default_factory=dict)


def _seeds(split: str, rows: pd.DataFrame, metric: str) -> _Seeds:
    evidence = rows["split_evidence"].iloc[0]
    is_known = isinstance(evidence, Evidence)
    badges = tuple(f"split: {badge}" for badge in evidence.badges) if is_known else ()
    rank = evidence.rank if is_known else ()
    counts = len(rows), int(rows["infeasible"].sum())
    found = _Seeds(split, badges, rank, bool(rows["demo"].any()), *counts)
    expected = 1 if metric == NO_SPLITTING else SUB_SPACES
    if "sub_spaces" in rows and rows["sub_spaces"].notna().any():
        expected = int(rows["sub_spaces"].dropna().iloc[0])
    of_seeds: dict[int, dict[str, list[float]]] = {}
    columns = (rows[name] for name in ("seed", "sub_space", "test_accuracy"))
    for seed, name, accuracy in zip(*columns, strict=True):
        of_seeds.setdefault(int(seed), {}).setdefault(str(name), []).append(float(accuracy))
    for seed, by_name in sorted(of_seeds.items()):
        missing = [name for name in sub_space_names(expected) if name not in by_name]
        if len(by_name) < expected:
            found.begun[seed] = f"seed {seed}: {', '.join(missing)} to be searched"
        else:
            known = [value for of_name in by_name.values() for value in of_name if value == value]
            found.best[seed] = max(known, default=float("nan"))
    return found


def _measured(
    rows: pd.DataFrame, metric: str, seeds: tuple[int, ...], evidence: Evidence | None
) -> dict[str, Any]:
    """Compute the measured part of a cell: of the split with results and the best evidence."""
    splits = [_seeds(str(split), part, metric) for split, part in rows.groupby("split", sort=False)]
    splits.sort(key=lambda one: (not one.best, one.rank, -len(one.best), -len(one.begun)))
    chosen = splits[0] if splits else _Seeds("", (), (), False)
    highest = pd.Series(list(chosen.best.values()), dtype="float64").dropna()
    # Any other seed is as good as one that is wanted.
    wanted = [seed for seed in seeds if seed not in chosen.best]
    wanted = wanted[: max(0, len(seeds) - len(chosen.best))]
    badges = chosen.badges if chosen.best else ()
    notes = [*(evidence.notes(chosen.demo) if evidence is not None and chosen.best else ())]
    if chosen.infeasible and chosen.best:
        notes.append(f"{chosen.infeasible} of {chosen.searches} searches infeasible")
    return {
        "label": METRIC_LABELS.get(metric, metric),
        "mean": highest.mean(),
        "std": highest.std(ddof=0) if len(highest) > 1 else float("nan"),
        "seeds": len(highest),
        "infeasible": chosen.infeasible,
        "evidence": "" if evidence is None else evidence.label,
        "badges": badges,
        "notes": ", ".join([*notes, *badges]),
        "split": chosen.split,
        "other_splits": sum(bool(one.best) for one in splits[1:]),
        "missing": "; ".join(_to_run(wanted, chosen.begun, metric)),
        "missing_seeds": tuple(wanted),
    }


def _to_run(wanted: Sequence[int], begun: Mapping[int, str], metric: str) -> list[str]:
    parts = [begun[seed] for seed in wanted if seed in begun]
    new = [str(seed) for seed in wanted if seed not in begun]
    if new:
        space = "the whole space" if metric == NO_SPLITTING else "all sub-spaces"
        parts.append(f"seed{'s' * (len(new) > 1)} {', '.join(new)}: {space} to be searched")
    return parts


class _Split(Protocol):
    """A split, the metric that made it, and what it rests on; its leaves are in tree order."""

    @property
    def key(self) -> str: ...
    @property
    def evidence(self) -> Evidence: ...
    @property
    def metric(self) -> str: ...
    @property
    def leaves(self) -> Sequence[SubSpace]: ...


def recorded_results(
    splits: Sequence[_Split],
    searches: pd.DataFrame,
    records: pd.DataFrame,
    accuracy: pd.DataFrame,
    space: SearchSpace = NAS_BENCH_201,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Join splits, finished searches and the accuracies of the architectures found.

    ``allowed`` marks the architectures of the space within a limit of the cost; what is found
    beyond it is infeasible and has no accuracy.

    All are of one space and data set: searches from ``Store.searches``, their records from
    ``Store.search_records``. The same sub-spaces by the same metric count once, for the split with
    the strongest evidence; the same search on other devices or image files counts once.

    Returns:
        The columns of ``results_table`` (test_accuracy being that of the given table, in percent,
        missing where unknown), split being the split's key, and the run.
    """
    ends = records.merge(searches[["run_id", "epochs"]], on="run_id")
    ends = ends[ends["epoch"] == ends["epochs"]]
    means = accuracy.set_index("architecture")["accuracy_mean"]
    at_end = ends.set_index("run_id")["architecture"]
    found = searches["run_id"].map(at_end.map(means))
    infeasible = pd.Series(False, searches.index)
    if allowed is not None:
        beyond = pd.Series(~allowed[at_end.to_numpy(dtype=np.int64)], at_end.index)
        infeasible = searches["run_id"].map(beyond).eq(True)
    rows = searches.assign(test_accuracy=found.mask(infeasible), infeasible=infeasible)
    parts = [_of_split(rows, NO_SPLITTING, "", None, [SubSpace.full(space)])]
    known: dict[str, list[list[str]]] = {}
    for split in sorted(splits, key=lambda split: split.evidence.rank):
        others = known.setdefault(split.metric, [])
        content = [_rows(leaf) for leaf in split.leaves]
        if content not in others:
            others.append(content)
            parts.append(_of_split(rows, split.metric, split.key, split.evidence, split.leaves))
    joined = pd.concat(parts, ignore_index=True)[list(_RECORDED)]
    return joined.drop_duplicates([*_KEYS, "split"], ignore_index=True)


def _of_split(
    searches: pd.DataFrame,
    metric: str,
    key: str,
    evidence: Evidence | None,
    leaves: Sequence[SubSpace],
) -> pd.DataFrame:
    names = dict(zip(map(_rows, leaves), sub_space_names(len(leaves)), strict=True))
    inside = searches[searches["sub_space"].isin(list(names))]
    return inside.assign(
        metric=metric,
        split=key,
        split_evidence=pd.Series([evidence] * len(inside), inside.index, dtype="object"),
        sub_spaces=len(leaves),
        sub_space=inside["sub_space"].map(names),
    )


def _rows(leaf: SubSpace) -> str:
    return " ".join(leaf.rows)


def results_csv(table: pd.DataFrame) -> str:
    """Format a table of ``results_table`` as CSV, one line for each cell, with all columns."""
    seeds = [" ".join(map(str, missing)) for missing in table["missing_seeds"]]
    rounded = table.assign(missing_seeds=seeds).round(DIGITS + 2)
    return rounded.to_csv(index=False, lineterminator="\n")


def results_markdown(
    table: pd.DataFrame, show: str = "both", accuracy: str = "test", limit: str = ""
) -> str:
    """Format a table of ``results_table`` as Markdown, the best of each algorithm in bold.

    ``show`` is one of ``SHOWN``; the kind of accuracy is that of the measured ones, and the limit
    of the cost is in words.
    """
    text = markdown_table(_arrange(table, show, str, "**{}**".format))
    notes = "".join(f"{note}  \n" for note in _notes(table, show, accuracy, limit))
    return f"{text}\n{notes.rstrip()}\n"


def results_latex(
    table: pd.DataFrame, show: str = "both", accuracy: str = "test", limit: str = ""
) -> str:
    """Format a table of ``results_table`` as LaTeX, as ``results_markdown`` does."""
    wide = _arrange(table, show, escape_latex, r"\textbf{{{}}}".format)
    dataset = str(table["dataset"].iloc[0])
    first, *notes = _notes(table, show, accuracy, limit)
    label = DATASETS.label(dataset) if dataset in DATASETS else dataset
    caption = f"{label}: {first[0].lower()}{first[1:]}"
    return latex_table(wide, escape_latex(caption), f"results-{dataset}", notes)


def latex_table(frame: pd.DataFrame, caption: str, label: str, notes: Sequence[str] = ()) -> str:
    """Format a DataFrame as a LaTeX table over both columns; its texts and caption are LaTeX.

    The document needs the packages booktabs and, as the table may be shrunk, graphicx.

    Args:
        frame: The table; its first column is aligned to the left.
        caption: Caption, above the table.
        label: The label of references, without its prefix ``tab:``.
        notes: Plain lines below the table: what its numbers rest on.
    """
    columns = "l" + "r" * (frame.shape[1] - 1)
    body = frame.style.hide(axis="index").to_latex(column_format=columns, hrules=True)
    below = escape_latex(" ".join(notes))
    return (
        "% Needs \\usepackage{booktabs,graphicx}.\n"
        f"\\begin{{table*}}[t]\n\\centering\n\\caption{{{caption}}}\n\\label{{tab:{label}}}\n"
        f"\\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n{body}}}\n"
        f"\\par\\smallskip{{\\footnotesize {below}\\par}}\n\\end{{table*}}\n"
    )


def markdown_table(frame: pd.DataFrame, align: str = "---:") -> str:
    """Format a DataFrame as a Markdown table, with the alignment of all columns but the first."""
    lines = [list(map(str, frame.columns)), *frame.astype(str).to_numpy().tolist()]
    texts = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
    texts.insert(1, f"| --- {f'| {align} ' * (frame.shape[1] - 1)}|")
    return "\n".join(texts) + "\n"


def cell_text(mean: float, std: float) -> str:
    """Format a result as in the paper: "94.13 ± 0.30", without missing parts."""
    if pd.isna(mean):
        return NO_RESULT
    deviation = "" if pd.isna(std) else f" ± {std:.{DIGITS}f}"
    return f"{mean:.{DIGITS}f}{deviation}"


def support_text(row: Mapping[Hashable, Any]) -> str:
    """Say what a measured result rests on: "[1 of 3 seeds, reduced scale]"; empty without one."""
    if not row["seeds"]:
        return f" [{row['notes']}]" if row["infeasible"] and row["notes"] else ""
    wanted = row["seeds"] + len(row["missing_seeds"])
    seeds = f"{row['seeds']} of {wanted}" if row["missing_seeds"] else str(wanted)
    parts = [f"{seeds} seed{'s' * (wanted != 1)}", row["notes"]]
    return f" [{', '.join(filter(None, parts))}]"


_ESCAPED = {letter: f"\\{letter}" for letter in "#_%&${}"}
_ESCAPED |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_ESCAPED |= {"<": "$<$", ">": "$>$", "|": "$|$", "±": r"$\pm$", "−": "$-$", "·": r"$\cdot$"}
_ESCAPED |= {"–": "--", "×": r"$\times$", "Δ": r"$\Delta$", "→": r"$\to$"}
_ESCAPED |= {"“": "``", "”": "''", "★": r"$\star$"}


def escape_latex(text: str) -> str:
    """Escape a text for LaTeX, with the signs of the tables here."""
    return "".join(_ESCAPED.get(letter, letter) for letter in text)


def _arrange(
    table: pd.DataFrame, show: str, escape: Callable[[str], str], bold: Callable[[str], str]
) -> pd.DataFrame:
    """Arrange texts by metric (first column) and algorithm."""
    if show not in SHOWN:
        raise UnknownNameError(f"unknown cells {show!r}: expected one of {', '.join(SHOWN)}")

    def number(row: Mapping[Hashable, Any], prefix: str) -> str:
        text = escape(cell_text(row[f"{prefix}mean"], row[f"{prefix}std"]))
        return bold(text) if row[f"{prefix}best"] else text

    def cell(row: Mapping[Hashable, Any]) -> str:
        measured = number(row, "") + escape(support_text(row))
        published = number(row, "published_")
        if show != "both":
            return measured if show == "measured" else published
        if pd.isna(row["difference"]):
            return f"{measured} ({published})"
        difference = f"{row['difference']:+.{DIGITS}f}".replace("-", "−")
        return f"{measured} ({published}, {escape(difference)})"

    texts: dict[str, dict[str, str]] = {}
    for row in table.to_dict("records"):
        line = texts.setdefault(row["metric"], {"Metric": escape(row["label"])})
        line[escape(ALGORITHM_LABELS.get(row["algorithm"], row["algorithm"]))] = cell(row)
    return pd.DataFrame(list(texts.values()))


def _notes(table: pd.DataFrame, show: str, accuracy: str, limit: str) -> list[str]:
    """Explain the cells, what they rest on, and those with several splits or few seeds."""
    kind = "test" if show == "published" else accuracy
    notes = [f"{kind.title()} accuracy in percent of the best architecture found: {SHOWN[show]}."]
    if show != "measured":
        unlike = "" if kind == "test" else ", test accuracies, which are on another scale"
        notes.append(f"Published: {SOURCE}{unlike}.")
    if show == "published":
        return notes
    if limit:
        notes.append(f"Only architectures with {limit} count: others found are infeasible.")
    rests_on = next(filter(None, table["evidence"]), None)
    if rests_on:
        notes.append(f"Searches: {rests_on}.")
    several = table[table["other_splits"] > 0]
    if len(several):
        notes.append(f"One of several searched splits by the metric: {_listed(several)}.")
    few = table[(table["seeds"] > 0) & (table["missing"] != "")]
    if len(few):
        notes.append(f"Fewer seeds than in the paper: {_listed(few)}.")
    return notes


def _listed(rows: pd.DataFrame) -> str:
    return "; ".join(
        f"{row['label']} with {ALGORITHM_LABELS.get(str(row['algorithm']), row['algorithm'])} "
        f"({row['seeds']} seed{'s' * (row['seeds'] != 1)})"
        for row in rows.to_dict("records")
    )
