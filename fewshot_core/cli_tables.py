"""The tables that the command line prints for people."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from fewshot_core.analysis.stability import stability
from fewshot_core.images import ImageSource
from fewshot_core.selection import Curves, HalvingResult
from fewshot_core.selection.curves import Floats
from fewshot_core.space import edge_label, operation_set_label
from fewshot_core.splitting import SplitTree


def nodes_table(tree: SplitTree) -> Table:
    """Return a tree's nodes: which operations went together, and what was arbitrary."""
    table = Table("node", "edge", "groups", "cut", "note")
    for node in tree.nodes:
        path = "/".join(str(number + 1) for number in node.path) or "root"
        groups = "  |  ".join(operation_set_label(group) for group in node.groups)
        table.add_row(path, edge_label(node.edge), groups, f"{node.cut:.6g}", node.reason or "")
    return table


def leaves_table(tree: SplitTree) -> Table:
    """Return a tree's sub-spaces with their sizes and masks."""
    table = Table("sub-space", "size", "rows")
    for number, leaf in enumerate(tree.leaves, start=1):
        table.add_row(f"S{number}", f"{leaf.size:,}", " ".join(leaf.rows))
    return table


def stability_table(trees: Sequence[SplitTree]) -> Table:
    """Return how often the decisions of the first of some trees recur in the others."""
    table = Table("node", "the same", "of", "different", "most frequent", title="Over all seeds")
    for row in stability(trees).to_dict("records"):
        path = "/".join(str(number + 1) for number in row["path"]) or "root"
        commonest = "  |  ".join(operation_set_label(group) for group in row["commonest"])
        counts = [str(row[name]) for name in ("same", "arrived", "groupings")]
        table.add_row(path, *counts, f"{commonest} ({row['count']})")
    return table


def report_table(report: dict[str, Any]) -> Table:
    """Return what one split tells and its sub-spaces hold; see ``report_split``."""
    table = Table(
        "sub-space",
        "size",
        f"top {report['threshold']:.3%}",
        "best %",
        "mean %",
        title=f"{report['metric']} on {report['dataset']}, {report['accuracy']} accuracy, "
        f"table {report['table']}",
        caption=_worth(report),
    )
    for number, row in enumerate(report["sub_spaces"], start=1):
        best, mean = ("-" if row[key] is None else f"{row[key]:.2f}" for key in ("best", "mean"))
        table.add_row(f"S{number}", f"{row['size']:,}", str(row["top_count"]), best, mean)
    return table


def _worth(report: dict[str, Any]) -> str:
    """Return what a split is worth, beside the best tree of its shape and beside chance."""
    gain, best = report["information_gain_bits"], report["best_tree_bits"]
    worth = f"information gain {gain:.4f} bits"
    if best:
        worth += f", {gain / best:.1%} of the best tree"
    if report["random_percentile"] is not None:
        worth += f", percentile {report['random_percentile']:.1f} of random trees"
    return worth


def selection_table(result: HalvingResult, curves: Curves, title: str) -> Table:
    """Return how long each sub-supernet was trained, and what it finds by the end."""
    table = Table("sub-space", "trained to", "validation %", "finds by the end %", "", title=title)
    found, valid = curves.at("test_accuracy", result.end), curves.values["valid_accuracy"]
    for i, name in enumerate(result.sub_spaces):
        last = result.trained.get(name)
        reached = "-" if last is None else _percent(valid[i, curves.epochs == last])
        notes = ["chosen"] if name == result.winner else []
        notes += ["best"] if name in result.equally_best else []
        epochs = "-" if last is None else str(last)
        table.add_row(name, epochs, reached, f"{found[i]:.2f}", ", ".join(notes))
    return table


def schedules_table(grid: pd.DataFrame, title: str) -> Table:
    """Return the strategies with a name and those on the Pareto front; see ``schedule_grid``."""
    shown = grid[grid["pareto"] | (grid["mark"] != "")].sort_values(["cost", "regret"])
    table = Table(
        "strategy",
        "known as",
        "cost, runs",
        "finds %",
        "regret",
        "best discarded",
        "front",
        title=title,
        caption=f"{len(shown)} of {len(grid)} strategies: those with a name or on the front",
    )
    for row in shown.to_dict("records"):
        spread = f" ± {row['regret_std']:.2f}" if row["seeds"] > 1 else ""
        table.add_row(
            str(row["label"]),
            str(row["mark"]),
            f"{row['cost']:.2f}",
            f"{row['test_accuracy']:.2f}",
            f"{row['regret']:.2f}{spread}",
            f"{row['best_discarded']:.0%}",
            "yes" if row["pareto"] else "",
        )
    return table


def _percent(values: Floats) -> str:
    """Return the only one of some values, or a dash where there is none."""
    return f"{values[0]:.2f}" if len(values) and not np.isnan(values[0]) else "-"


def images_table(sources: Iterable[ImageSource]) -> Table:
    """Return the sources of images, with what is wrong with those that cannot be read."""
    table = Table("data set", "name", "what", "where")
    for source in sources:
        where = "" if source.synthetic else str(source.path)
        table.add_row(source.dataset, source.name, source.problem or source.label, where)
    return table


def doctor_table(found: dict[str, Any]) -> Table:
    """Return the state of the installation; see ``fewshot_core.doctor.examine``."""
    table = Table("what", "found", show_header=False)
    packages = ", ".join(
        f"{name} {known or 'MISSING'}" for name, known in found["packages"].items()
    )
    free = found["free_bytes"]
    table.add_row("Python", found["python"])
    table.add_row("packages", packages)
    table.add_row("devices", ", ".join(found["devices"]))
    table.add_row("data folder", found["data_dir"])
    table.add_row("free space", "none" if free is None else f"{free / 1e9:.1f} GB")
    for item in found["tables"]:
        sets = ", ".join(
            f"{part['dataset']} {part['accuracy']}" + ("" if part["complete"] else " (incomplete)")
            for part in item["sets"]
        )
        table.add_row("table", f"{item['name']}: {sets}")
    for name, sources in found["images"].items():
        table.add_row(f"images {name}", ", ".join(source["label"] for source in sources))
    runs = ", ".join(f"{count} {state}" for state, count in found["runs"].items())
    table.add_row("runs", runs or "none")
    return table
