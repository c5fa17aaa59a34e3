"""Recorded searches in the form of the paper's tables: metric by algorithm (Tables 1 to 3).

A result is the test accuracy of the best architecture found by the searches in all sub-spaces of
a split together, for one seed. Searches of some sub-spaces only are no result yet.

A search belongs to every split of which its sub-space is a part, whoever asked for it.
"""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any, Protocol

import pandas as pd

from fewshot_core.analysis.sub_spaces import sub_space_names
from fewshot_core.errors import TableError, UnknownNameError
from fewshot_core.space import SubSpace

ALGORITHM_LABELS = {
    "darts-1st": "DARTS-1st",
    "darts-2nd": "DARTS-2nd",
    "snas": "SNAS",
    "dsnas": "DSNAS",
}
"""The columns of the tables, with their headings."""

METRIC_LABELS = {"linear_regions": "#lr", "params": "#params"}
"""The metrics that the tables call otherwise."""

NO_SPLITTING = "no splitting"
"""What stands in the place of a metric where the whole space was searched."""

SOURCE = "Ly-Manson et al., AutoML 2024, Tables 1 to 3 (hal-04576139v2, CC BY 4.0)"

DIGITS = 2
"""Digits after the point; results that are equal in these are equally good."""


def published_results() -> pd.DataFrame:
    """Return the published tables, one row for each cell, in their order.

    Returns:
        Columns dataset, metric, algorithm, mean and std (percent; DARTS has no deviation, being
        deterministic) and best (whether it is the highest of its column).
    """
    return _read().copy()


def are_best(means: "pd.Series[float]") -> "pd.Series[bool]":
    """Return which results are the highest, as printed; a missing one is not."""
    printed = means.round(DIGITS)
    return printed.notna() & (printed == printed.max())


@cache
def _read() -> pd.DataFrame:
    with as_file(files("fewshot_core.analysis") / "published" / "tables.csv") as path:
        wide = pd.read_csv(path, comment="#")
    parts = [
        pd.DataFrame(
            {
                "dataset": wide["dataset"],
                "metric": wide["metric"],
                "algorithm": algorithm,
                "mean": wide[algorithm],
                "std": wide.get(f"{algorithm}_std", float("nan")),
                "row": wide.index,
            }
        )
        for algorithm in ALGORITHM_LABELS
    ]
    long = pd.concat(parts).sort_values("row", kind="stable", ignore_index=True)
    best = long.groupby(["dataset", "algorithm"])["mean"].transform(are_best)
    return long.drop(columns="row").assign(best=best.astype(bool))


PAPER_SEEDS = (777, 888, 999)
"""The seeds of NAS-Bench-201, for which SNAS and DSNAS are repeated (Section 4.1)."""

SEEDS: Mapping[str, Sequence[int]] = {
    "darts-1st": PAPER_SEEDS[:1],
    "darts-2nd": PAPER_SEEDS[:1],
    "snas": PAPER_SEEDS,
    "dsnas": PAPER_SEEDS,
}
"""The seeds that each algorithm is to be run with; any others count as well."""

SUB_SPACES = 8
"""How many sub-spaces a split has, unless a search says otherwise."""

REQUIRED = ("dataset", "metric", "algorithm", "seed", "preset", "sub_space", "test_accuracy")
"""The columns that recorded searches must have."""

COLUMNS = (
    "dataset",
    "metric",
    "label",
    "algorithm",
    "mean",
    "std",
    "seeds",
    "best",
    "presets",
    "mixed",
    "missing",
    "missing_seeds",
    "published_mean",
    "published_std",
    "published_best",
    "difference",
)
"""The columns of a table of results."""


def results_table(
    searches: pd.DataFrame,
    dataset: str,
    preset: str | None = None,
    seeds: Mapping[str, Sequence[int]] = SEEDS,
    accuracy: str = "test",
) -> pd.DataFrame:
    """Arrange recorded searches of one data set as the paper does, beside what it reports.

    Args:
        searches: One row for each finished search: dataset, metric (``"no splitting"`` for the
            whole space), algorithm, seed, preset, sub_space (S1, ...) and test_accuracy (percent)
            of the architecture found; optionally split (an identifier of the split searched, so
            that different splits of one metric are told apart) and sub_spaces (how many it has;
            8 by default). Searches whose accuracy is missing do not count.
        dataset: The data set.
        preset: The preset to show, or None for all; where these differ within a cell, it says so.
        seeds: The seeds wanted of each algorithm.
        accuracy: The kind of the accuracies in test_accuracy. Validation accuracies are on another
            scale than the published ones, so that there is no difference to them.

    Returns:
        One row for each cell, by metric and algorithm in the order of the paper, others after
        them: dataset, metric, label, algorithm; mean and std (percent) over all complete results,
        std being missing for a single one; seeds (how many different ones these are of); best (the
        highest of the algorithm, in the digits shown); presets (all that went into it); mixed
        (whether they, or the splits, are more than one); missing (what is still to be run, in
        words, or empty) and missing_seeds; published_mean, published_std, published_best; and
        difference (mean less published_mean, in percentage points). The deviation is that of the
        results at hand, divided by their number: most of the published ones can be had from
        accuracies in the benchmark only so.

    Raises:
        TableError: If a column is missing or a search is there twice.
    """
    rows = _checked(searches)
    rows = rows[(rows["dataset"] == dataset) & rows["test_accuracy"].notna()]
    if preset is not None:
        rows = rows[rows["preset"] == preset]
    known = published_results()
    printed = {
        (str(row["metric"]), str(row["algorithm"])): row
        for row in known[known["dataset"] == dataset].to_dict("records")
    }
    metrics = _with_others(known["metric"], rows["metric"])
    algorithms = _with_others(list(ALGORITHM_LABELS), rows["algorithm"])
    cells = []
    for metric in metrics:
        for algorithm in algorithms:
            inside = rows[(rows["metric"] == metric) & (rows["algorithm"] == algorithm)]
            cell = _cell(inside, metric, tuple(seeds.get(algorithm, PAPER_SEEDS)))
            place = {"dataset": dataset, "metric": metric, "algorithm": algorithm}
            cells.append(place | cell | _beside(printed.get((metric, algorithm), {})))
    table = _finished(pd.DataFrame(cells))
    return table if accuracy == "test" else table.assign(difference=float("nan"))


@dataclass(frozen=True)
class _Result:
    """The searches of one seed in one split with one preset.

    Attributes:
        preset: The preset.
        split: The split.
        seed: The seed.
        highest: The highest test accuracy found, in percent.
        missing: Names of the sub-spaces that were not searched.
    """

    preset: str
    split: str
    seed: int
    highest: float
    missing: tuple[str, ...]


def _checked(searches: pd.DataFrame) -> pd.DataFrame:
    if searches.empty:
        return pd.DataFrame(columns=[*REQUIRED, "split"])
    missing = [column for column in REQUIRED if column not in searches]
    if missing:
        got = ", ".join(map(str, searches.columns)) or "none"
        raise TableError(f"expected searches with a column {missing[0]!r}, got {got}")
    split = searches["split"].fillna("") if "split" in searches else ""
    rows = searches.assign(split=split)
    keys = [column for column in REQUIRED if column != "test_accuracy"]
    repeated = rows.duplicated([*keys, "split"])
    if repeated.any():
        first = rows[repeated].iloc[0]
        what = ", ".join(str(first[key]) for key in keys)
        raise TableError(
            f"expected every search once, got two of {what}; remove one, or name their splits in a "
            "column 'split'"
        )
    return rows


def _with_others(known: "Sequence[str] | pd.Series[str]", found: "pd.Series[str]") -> list[str]:
    """Return the known names in their order, and then the other ones found."""
    first = list(dict.fromkeys(known))
    return [*first, *sorted(set(found) - set(first))]


def _cell(rows: pd.DataFrame, metric: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Return the measured part of a cell."""
    results = [
        _result(str(preset), str(split), int(str(seed)), part, metric)
        for (preset, split, seed), part in rows.groupby(["preset", "split", "seed"], sort=True)
    ]
    complete = [result for result in results if not result.missing]
    highest = pd.Series([result.highest for result in complete], dtype="float64")
    presets = sorted({result.preset for result in complete})
    splits = {(result.preset, result.split) for result in complete}
    return {
        "label": METRIC_LABELS.get(metric, metric),
        "mean": highest.mean(),
        "std": highest.std(ddof=0) if len(highest) > 1 else float("nan"),
        "seeds": len({result.seed for result in complete}),
        "presets": ", ".join(presets),
        "mixed": len(splits) > 1,
        **_missing(results, metric, seeds),
    }


def _result(preset: str, split: str, seed: int, rows: pd.DataFrame, metric: str) -> _Result:
    expected = 1 if metric == NO_SPLITTING else SUB_SPACES
    if "sub_spaces" in rows:
        stated = rows["sub_spaces"].dropna()
        expected = int(stated.iloc[0]) if len(stated) else expected
    found = {str(name) for name in rows["sub_space"]}
    missing: tuple[str, ...] = ()
    if len(found) < expected:
        missing = tuple(name for name in sub_space_names(expected) if name not in found)
    return _Result(preset, split, seed, float(rows["test_accuracy"].max()), missing)


def _missing(results: Sequence[_Result], metric: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Return what is still to be run, in words and as seeds."""
    done = {result.seed for result in results if not result.missing}
    begun = {result.seed: result for result in results if result.seed not in done}
    # Any other seed is as good as one that is wanted.
    wanted = [seed for seed in seeds if seed not in done]
    wanted = wanted[: max(0, len(seeds) - len(done))]
    parts = [
        f"seed {seed}: {', '.join(begun[seed].missing)} to be searched"
        for seed in wanted
        if seed in begun
    ]
    fresh = [str(seed) for seed in wanted if seed not in begun]
    if fresh:
        space = "the whole space" if metric == NO_SPLITTING else "all sub-spaces"
        parts.append(f"seed{'s' * (len(fresh) > 1)} {', '.join(fresh)}: {space} to be searched")
    return {"missing": "; ".join(parts), "missing_seeds": tuple(wanted)}


def _beside(printed: Mapping[Hashable, Any]) -> dict[str, Any]:
    """Return the published part of a cell."""
    return {
        "published_mean": printed.get("mean", float("nan")),
        "published_std": printed.get("std", float("nan")),
        "published_best": bool(printed.get("best", False)),
    }


def _finished(table: pd.DataFrame) -> pd.DataFrame:
    """Add what depends on the other cells, and on what is published."""
    best = table.groupby("algorithm")["mean"].transform(are_best).astype(bool)
    difference = (table["mean"] - table["published_mean"]).round(DIGITS + 2)
    return table.assign(best=best, difference=difference)[list(COLUMNS)]


_SHORT = 6
_COLUMNS = (
    "dataset",
    "metric",
    "algorithm",
    "seed",
    "preset",
    "sub_space",
    "test_accuracy",
    "split",
    "sub_spaces",
    "run_id",
)


class Split(Protocol):
    """What must be known of a split."""

    @property
    def metric(self) -> str:
        """What decided."""

    @property
    def leaves(self) -> Sequence[SubSpace]:
        """Its sub-spaces, in tree order."""


def recorded_results(
    splits: Sequence[Split],
    searches: pd.DataFrame,
    records: pd.DataFrame,
    accuracy: pd.DataFrame,
) -> pd.DataFrame:
    """Join splits, finished searches and the accuracies of what they found at their end.

    Args:
        splits: Splits of one data set; the same sub-spaces by the same metric count once.
        searches: What ``Store.searches`` returns for the data set.
        records: What ``Store.search_records`` returns for them.
        accuracy: What ``load_accuracy`` returns.

    Returns:
        The columns of ``results_table`` (test_accuracy being the accuracy of the given table, in
        percent, missing where it has none), with the split's number among those of its metric, how
        many sub-spaces it has, and the run. Presets are named with what else differs: made-up
        images, inherited weights and, where that is not enough, the family of the searches.
    """
    ends = records.merge(searches[["run_id", "epochs"]], on="run_id")
    ends = ends[ends["epoch"] == ends["epochs"]]
    means = accuracy.set_index("architecture")["accuracy_mean"]
    found = ends.set_index("run_id")["architecture"].map(means)
    rows = searches.assign(
        preset=_preset_names(searches), test_accuracy=searches["run_id"].map(found)
    )
    parts = [_of_split(rows, NO_SPLITTING, "", [SubSpace.full()])]
    for metric, number, leaves in _different(splits):
        parts.append(_of_split(rows, metric, str(number), leaves))
    return pd.concat(parts, ignore_index=True)[list(_COLUMNS)]


def _different(splits: Sequence[Split]) -> list[tuple[str, int, Sequence[SubSpace]]]:
    """Return metric, number and sub-spaces of splits that are not the same."""
    known: dict[str, list[tuple[str, ...]]] = {}
    found = []
    for split in splits:
        content = tuple(_rows(leaf) for leaf in split.leaves)
        others = known.setdefault(split.metric, [])
        if content not in others:
            others.append(content)
            found.append((split.metric, len(others), split.leaves))
    return found


def _of_split(
    searches: pd.DataFrame, metric: str, number: str, leaves: Sequence[SubSpace]
) -> pd.DataFrame:
    names = {_rows(leaf): f"S{position}" for position, leaf in enumerate(leaves, start=1)}
    inside = searches[searches["sub_space"].isin(list(names))]
    return inside.assign(
        metric=metric,
        split=number,
        sub_spaces=len(leaves),
        sub_space=inside["sub_space"].map(names),
    )


def _rows(leaf: SubSpace) -> str:
    return " ".join(leaf.rows)


def _preset_names(searches: pd.DataFrame) -> list[str]:
    """Return a name for the preset of each search that no other kind of search has."""
    rows = searches.to_dict("records")
    names = [_preset_name(row) for row in rows]
    kinds: dict[tuple[str, str], set[str]] = {}
    for row, name in zip(rows, names, strict=True):
        kinds.setdefault((str(row["algorithm"]), name), set()).add(str(row["family"]))
    return [
        f"{name} {str(row['family'])[:_SHORT]}"
        if len(kinds[str(row["algorithm"]), name]) > 1
        else name
        for row, name in zip(rows, names, strict=True)
    ]


def _preset_name(row: Mapping[Any, Any]) -> str:
    name = row["preset"] if isinstance(row["preset"], str) else f"{row['epochs']} epochs"
    images = " on made-up images" if row["synthetic"] else ""
    weights = " with inherited weights" if json.loads(row["request"]).get("checkpoint") else ""
    return f"{name}{images}{weights}"


Row = Mapping[Hashable, Any]

NO_RESULT = "–"
MIXED = "†"

SHOWN = {
    "measured": "what was measured here",
    "published": "what the paper reports",
    "both": "both, and the difference",
}
"""What the cells of an exported table may hold."""


def results_csv(table: pd.DataFrame) -> str:
    """Return a table of ``results_table`` as CSV, one line for each cell, nothing left out."""
    seeds = [" ".join(map(str, missing)) for missing in table["missing_seeds"]]
    return table.assign(missing_seeds=seeds).to_csv(index=False, lineterminator="\n")


def results_markdown(table: pd.DataFrame, show: str = "both", accuracy: str = "test") -> str:
    """Return a table of ``results_table`` as Markdown, the best of each algorithm in bold.

    Args:
        table: The table.
        show: One of ``SHOWN``.
        accuracy: The kind of accuracy that was measured; the published ones are test accuracies.

    Raises:
        UnknownNameError: If ``show`` is none of them.
    """
    wide = _arrange(table, show, _MARKDOWN, accuracy)
    header = ["metric", *wide.headings]
    lines = ["| " + " | ".join(line) + " |" for line in [header, *wide.lines]]
    lines.insert(1, "| --- " + "| ---: " * len(wide.headings) + "|")
    return "\n".join([*lines, "", *(f"{note}  " for note in wide.notes)]).rstrip() + "\n"


def results_latex(table: pd.DataFrame, show: str = "both", accuracy: str = "test") -> str:
    """Return a table of ``results_table`` as LaTeX for the package booktabs.

    Args:
        table: The table.
        show: One of ``SHOWN``.
        accuracy: The kind of accuracy that was measured; the published ones are test accuracies.

    Raises:
        UnknownNameError: If ``show`` is none of them.
    """
    wide = _arrange(table, show, _LATEX, accuracy)
    columns = "l" + "r" * len(wide.headings)
    rows = [" & ".join(line) + r" \\" for line in wide.lines]
    return "\n".join(
        [
            *(f"% {note}" for note in wide.notes),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(["Metric", *wide.headings]) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def cell_text(mean: float, std: float) -> str:
    """Return a result as the paper prints it: "94.13 ± 0.30", without what is missing."""
    if pd.isna(mean):
        return NO_RESULT
    deviation = "" if pd.isna(std) else f" ± {std:.{DIGITS}f}"
    return f"{mean:.{DIGITS}f}{deviation}"


@dataclass(frozen=True)
class _Form:
    """How a text is written in a format."""

    text: Callable[[str], str]
    bold: Callable[[str], str]


@dataclass(frozen=True)
class _Wide:
    """A table as texts: headings of the algorithms, lines that begin with a metric, and notes."""

    headings: list[str]
    lines: list[list[str]]
    notes: list[str]


_ESCAPED = {"#": r"\#", "_": r"\_", "%": r"\%", "&": r"\&", "±": r"$\pm$", "−": "$-$", "–": "--"}
_ESCAPED |= {MIXED: r"\dag{}"}


def _escape_latex(text: str) -> str:
    return "".join(_ESCAPED.get(letter, letter) for letter in text)


_MARKDOWN = _Form(lambda text: text.replace("|", r"\|"), lambda text: f"**{text}**")
_LATEX = _Form(_escape_latex, lambda text: rf"\textbf{{{text}}}")


def _arrange(table: pd.DataFrame, show: str, form: _Form, accuracy: str) -> _Wide:
    if show not in SHOWN:
        raise UnknownNameError(f"unknown cells {show!r}: expected one of {', '.join(SHOWN)}")
    algorithms = list(dict.fromkeys(table["algorithm"]))
    cells = {(row["metric"], row["algorithm"]): row for row in table.to_dict("records")}
    labels = dict(zip(table["metric"], table["label"], strict=True))
    lines = [
        [
            form.text(label),
            *(_cell_of_results_export(cells[metric, name], show, form) for name in algorithms),
        ]
        for metric, label in labels.items()
    ]
    headings = [form.text(ALGORITHM_LABELS.get(name, name)) for name in algorithms]
    return _Wide(headings, lines, _notes(table, show, accuracy))


def _cell_of_results_export(row: Row, show: str, form: _Form) -> str:
    mark = form.text(MIXED) if row["mixed"] else ""
    measured = _emphasised(row["mean"], row["std"], row["best"], form) + mark
    published = _emphasised(
        row["published_mean"], row["published_std"], row["published_best"], form
    )
    if show != "both":
        return measured if show == "measured" else published
    if pd.isna(row["difference"]):
        return f"{measured} ({published})"
    difference = f"{row['difference']:+.{DIGITS}f}".replace("-", "−")
    return f"{measured} ({published}, {form.text(difference)})"


def _emphasised(mean: float, std: float, best: bool, form: _Form) -> str:
    text = form.text(cell_text(mean, std))
    return form.bold(text) if best else text


def _notes(table: pd.DataFrame, show: str, accuracy: str) -> list[str]:
    """Return what a reader must know: what the cells hold, which presets, and where it is mixed."""
    kind = "test" if show == "published" else accuracy
    notes = [f"{kind.title()} accuracy in percent of the best architecture found: {SHOWN[show]}."]
    if show != "measured":
        unlike = "" if kind == "test" else ", test accuracies, which are on another scale"
        notes.append(f"Published: {SOURCE}{unlike}.")
    if show == "published":
        return notes
    presets = sorted({name for names in table["presets"] for name in names.split(", ") if name})
    if presets:
        notes.append(f"Presets: {', '.join(presets)}.")
    mixed = table[table["mixed"]]
    if len(mixed):
        notes.append(f"{MIXED} mixes presets or splits: {_listed(mixed)}.")
    few = table[(table["seeds"] > 0) & (table["missing"] != "")]
    if len(few):
        notes.append(f"Of fewer seeds than the paper's: {_listed(few)}.")
    return notes


def _listed(rows: pd.DataFrame) -> str:
    return "; ".join(
        f"{row['label']} with {ALGORITHM_LABELS.get(str(row['algorithm']), row['algorithm'])} "
        f"({row['presets']}, {_seeds_text(int(row['seeds']))})"
        for row in rows.to_dict("records")
    )


def _seeds_text(seeds: int) -> str:
    return "1 seed" if seeds == 1 else f"{seeds} seeds"
