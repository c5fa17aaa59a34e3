"""Tables of results as CSV, Markdown and LaTeX."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fewshot_core.analysis.published_results import ALGORITHM_LABELS, DIGITS, SOURCE
from fewshot_core.errors import UnknownNameError

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
        [form.text(label), *(_cell(cells[metric, name], show, form) for name in algorithms)]
        for metric, label in labels.items()
    ]
    headings = [form.text(ALGORITHM_LABELS.get(name, name)) for name in algorithms]
    return _Wide(headings, lines, _notes(table, show, accuracy))


def _cell(row: Row, show: str, form: _Form) -> str:
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
