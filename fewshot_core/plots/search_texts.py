"""What figures of searches and of selections say in words."""

import numpy as np
import pandas as pd

from fewshot_core.plots.texts import Row
from fewshot_core.selection import Curves, HalvingResult, describe_schedule, leaders, verdict


def search_alternative(curves: Curves) -> str:
    """Return whether the leader by validation accuracy finds the best architecture."""
    test = curves.values["test_accuracy"]
    rows = leaders(curves)
    lead = rows.dropna(subset=["test_accuracy"])
    if lead.empty:
        return f"Curves of {len(curves.sub_spaces)} sub-supernets; what they find is not known."
    columns = np.searchsorted(curves.epochs, lead["epoch"].to_numpy())
    highest = np.nanmax(test[:, columns], axis=0)
    best = int((lead["test_accuracy"].to_numpy() == highest).sum())
    last = lead.iloc[-1]
    ahead = int(np.nanargmax(test[:, columns[-1]]))
    at_end = (
        f"finds the best architecture, {highest[-1]:.2f}%"
        if last["test_accuracy"] == highest[-1]
        else f"finds {last['test_accuracy']:.2f}%, while {curves.sub_spaces[ahead]} finds "
        f"{highest[-1]:.2f}%"
    )
    return (
        f"Accuracy of the architecture found by {len(curves.sub_spaces)} sub-supernets. At "
        f"epoch {last['epoch']} the one with the best validation accuracy, {last['sub_space']}, "
        f"{at_end}. The leader by validation accuracy also finds the best architecture at {best:,} "
        f"of {len(lead):,} epochs."
    )


def halving_alternative(result: HalvingResult) -> str:
    """Return who was discarded when, and what it came to."""
    parts = []
    for epoch in result.milestones:
        gone = [name for name, at in result.discarded.items() if at == epoch]
        if gone:
            parts.append(f"At epoch {epoch} {', '.join(gone)} are discarded.")
    start = (
        f"Validation accuracy of {len(result.sub_spaces)} sub-supernets, "
        f"{describe_schedule(result.milestones, result.end)}."
    )
    return " ".join([start, *parts, verdict(result)])


def schedules_alternative(grid: pd.DataFrame) -> str:
    """Return what the cheapest strategies lose, and what the paper's does."""
    front = grid[grid["pareto"]].sort_values(["cost", "regret"])
    points = [f"{row['label']} ({_point(row)})" for row in front.to_dict("records")]
    known = [
        f"The schedule of {'the paper' if row['mark'] == 'paper' else row['mark']}: "
        f"{_point(row)}, {'on' if row['pareto'] else 'not on'} the front."
        for row in grid.to_dict("records")
        if row["mark"] in ("paper", "GM-NAS")
    ]
    start = f"Cost against regret of {len(grid)} strategies. On the Pareto front: "
    return " ".join([start + "; ".join(points) + ".", *known])


def proxy_alternative(frame: pd.DataFrame, chance: float | None) -> str:
    """Return how well validation accuracy orders sub-supernets early, late and at best."""
    known = frame.dropna(subset=["kendall"])
    if known.empty:
        return "No correlation is defined: all sub-supernets are equal at every epoch."
    first, last = known.iloc[0], known.iloc[-1]
    best = known.iloc[int(known["kendall"].to_numpy().argmax())]
    text = (
        f"Kendall's tau between validation accuracy and the accuracy of what is found at the end: "
        f"{first['kendall']:.2f} at epoch {first['epoch']:.0f}, {last['kendall']:.2f} at epoch "
        f"{last['epoch']:.0f}, at most {best['kendall']:.2f} at epoch {best['epoch']:.0f}."
    )
    if chance is None:
        return text
    above = int((known["kendall"] >= chance).sum())
    return (
        f"{text} It reaches {chance:.2f}, which a random order reaches in less than one case of "
        f"twenty, at {above:,} of {len(known):,} epochs."
    )


def _point(row: Row) -> str:
    return f"{row['cost']:.2f} runs, {row['regret']:.2f} points lost"
