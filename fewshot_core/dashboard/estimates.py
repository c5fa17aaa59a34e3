"""The Estimates page: how well estimates of accuracy rank architectures, and what they pick."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.analysis import (
    EstimateReport,
    SplitEstimate,
    join_estimate,
    judge_estimate,
    judge_in_split,
)
from fewshot_core.bench import columns_csv, load_column
from fewshot_core.dashboard.shared.controls import (
    choose_from,
    choose_number,
    choose_one,
    numbers,
    offer_download,
    offer_start,
    plain,
    show_columns,
    show_errors,
    show_running,
    show_table,
    show_tabs,
)
from fewshot_core.dashboard.shared.figures import Leaves, cached_figure, show_figure, show_source
from fewshot_core.dashboard.shared.glossary import GLOSSARY, explain
from fewshot_core.dashboard.shared.page import (
    DATA,
    NEW_ESTIMATE,
    Workspace,
    close_forms,
    form_is_open,
    show_empty,
)
from fewshot_core.dashboard.shared.requests import (
    choose_device,
    choose_network,
    choose_sampling,
    choose_source,
    show_time,
)
from fewshot_core.dashboard.shared.sidebar import (
    Scope,
    Source,
    View,
    list_sources,
    open_page,
    read_accuracy,
    show_missing_table,
    without_supernet,
)
from fewshot_core.dashboard.shared.splits import dataset_label, metric_option
from fewshot_core.dashboard.shared.url import choose_several
from fewshot_core.metrics import METRICS
from fewshot_core.networks import check_checkpoint
from fewshot_core.plots import estimate_figure, ranking_figure
from fewshot_core.runs import EstimateRequest, estimate_seconds, find_finished
from fewshot_core.space import group_labels

_MOST = 6
"""How many estimates are compared at once."""

Judged = dict[str, tuple[EstimateReport, SplitEstimate | None]]


def show_estimates_page() -> None:
    """Draw the page."""
    view = open_page("Estimates", ("New estimate", NEW_ESTIMATE))
    for folder in view.workspace.active_runs("estimate"):
        request = folder.request()
        title = f"**{plain(request.method_label)}** on {plain(dataset_label(request))}"
        show_running(folder, title, lambda _: [])
    _show_estimates(view)
    if form_is_open(NEW_ESTIMATE):
        _show_form(view)


@st.dialog("New estimate", width="medium", on_dismiss=close_forms)
def _show_form(view: View) -> None:
    """Draw the form of a run that scores architectures by a metric, with its time, and start it."""
    if not view.has_supernet:
        st.info(without_supernet(view), icon=":material/info:")
        return
    with show_errors():
        request = _choose_request(view)
        request.check()
        request.check_space(view.space)
        known = find_finished(request, view.workspace.data_dir)
        clicked = offer_start("Start", "start", disabled=known is not None, type="primary")
        if known is not None:
            active = known.status().state.active
            st.caption("This is being scored." if active else "These scores are on the page.")
            return
        seconds = estimate_seconds(view.workspace.data_dir, request)
        show_time(view.workspace, seconds, request, what="architectures")
        if clicked:
            view.workspace.start([request])
            close_forms()
            st.rerun()


def _choose_request(view: View) -> EstimateRequest:
    names = [info.name for info in METRICS if info.direction and not info.baseline]
    metric = choose_from("Metric", {name: metric_option(name) for name in names}, "metric")
    info = METRICS.get(metric)
    st.caption(
        f"Every architecture is scored alone, with the weights that it has in the supernet. "
        f"Metric: {info.source}."
    )
    left, right = st.columns(2, vertical_alignment="bottom")
    whole, part = f"all {view.space.size:,}", "a random sample"
    sample = None
    if choose_one("Architectures", [whole, part], "scored", left, session=True) == part:
        most = view.space.size
        sample = choose_number("Sample size", "sample", min(1_000, most), 2, most, right)
    images: dict[str, Any] = {"images": choose_source(view)} if info.needs_images else {}
    with st.expander("Advanced", icon=":material/tune:", key="advanced"):
        left, right = st.columns(2)
        with left:
            device = choose_device()
        seed = choose_number("Seed of the sample", "sample_seed", 0, place=right)
        variant = next(iter(info.variants))
        if len(info.variants) > 1:
            variant = choose_one("Variant", info.variants, f"variant_{metric}", session=True)
        st.markdown("**Network**")
        network = choose_network(view.space)
        if info.needs_images:
            st.markdown("**Images**")
            images |= choose_sampling()
    if network.checkpoint is not None:
        check_checkpoint(Path(network.checkpoint))
    return EstimateRequest(
        view.dataset,
        metric,
        variant,
        network=network,
        device=device,
        sample=sample,
        sample_seed=seed,
        space=view.space.name,
        **images,
    )


def _show_estimates(view: View) -> None:
    sources, labels = list_sources(view.workspace, "estimate", view.space, view.dataset)
    if not sources:
        show_empty(
            "**No estimates yet.** An estimate is what a supernet, a zero-cost metric or a short "
            "training says about every architecture before it is trained. Score architectures by "
            "a metric (*New estimate*), or import a CSV file with a column of estimates, and this "
            "page shows how well they rank architectures: over the space, within each sub-space, "
            "and between sub-spaces.",
            DATA,
            "Import estimates",
        )
        return
    if view.table is None:
        show_missing_table(view)
        return
    first = list(labels)[:_MOST]
    chosen = choose_several("Estimates", labels, "estimates", first, _MOST, labels)
    if not chosen:
        st.info("Choose an estimate.", icon=":material/query_stats:")
        return
    leaves = view.split.leaves if view.split else None
    with show_errors():
        where, scope = (view.workspace, view.workspace.data_dir), view.scope()
        joined = {labels[key]: _join(*where, sources[key], scope) for key in chosen}
        judged = {name: _judge(one, view.threshold, leaves) for name, one in joined.items()}
        st.markdown(_finding(view, judged), help=explain("estimate", "Kendall's tau", "regret"))
        shows = {
            "Ranking": partial(_show_ranking, view, chosen, judged),
            "Against accuracy": partial(_show_against, view, joined),
            "Sub-spaces": partial(_show_sub_spaces, view, judged),
        }
        show_tabs(shows, "estimates_tab")
        _offer_csv(view, labels, {key: sources[key] for key in chosen})


@dataclass(frozen=True, eq=False)
class _Joined:
    """An estimate with accuracies; the same ones are the same object, to cache results by it."""

    frame: pd.DataFrame


@st.cache_resource(show_spinner="Ranking architectures", max_entries=64)
def _join(_workspace: Workspace, data_dir: Path, source: Source, scope: Scope) -> _Joined:
    """Join an estimate with accuracies, once for all sessions; they must not be changed."""
    info, column = source
    estimate = load_column(info.name, column.name, data_dir, info.space)
    named = estimate.rename(columns={column.name: "estimate"})
    return _Joined(join_estimate(named, read_accuracy(_workspace, scope)))


@lru_cache(maxsize=256)
def _judge(
    joined: _Joined, threshold: float, leaves: Leaves | None
) -> tuple[EstimateReport, SplitEstimate | None]:
    inside = judge_in_split(joined.frame, leaves) if leaves else None
    return judge_estimate(joined.frame, threshold), inside


def _finding(view: View, judged: Judged) -> str:
    """Say in one sentence which estimate ranks best, and what taking its best loses.

    Estimates of fewer architectures than the largest, as of a sample, are not ranked beside it.
    """
    most = max(report.known for report, _ in judged.values())
    taus = {
        name: report.overall.kendall.value
        for name, (report, _) in judged.items()
        if report.known == most
    }
    known = {name: tau for name, tau in taus.items() if tau is not None}
    if not known:
        return "No ranking is defined: every estimate is a single tie."
    name = max(known, key=known.__getitem__)
    report, inside = judged[name]
    best = "ranks" if len(taus) == 1 else "ranks best"
    text = f"**{plain(name)} {best}: Kendall's tau {known[name]:.3f}** with {plain(view.scores)}"
    if inside is not None and view.split is not None:
        within = inside.sub_spaces["tau"].dropna()
        if len(within):
            text += f"; within the sub-spaces of {plain(view.split.name)} "
            text += f"{within.min():.2f} to {within.max():.2f}"
        if inside.between and (between := inside.between.kendall.value) is not None:
            text += f", between them {between:.2f}"
    text += (
        f". Taking the architecture that it rates highest loses {view.task.form % report.regret}"
    )
    if inside is not None:
        text += f", taking the sub-space that it rates highest {view.task.form % inside.regret}"
    return f"{text} {'points' if view.task.percent else plain(view.task.unit)}."


def _show_ranking(view: View, keys: list[str], judged: Judged) -> None:
    """Draw tau over the space, in each sub-space and between them, with a table of all."""
    split = view.split.name if view.split else ""
    figure = _draw_ranking(tuple(judged.items()), view.threshold, split, _only(view))
    show_figure(figure, "estimates_ranking", source=view.source[:2])
    rows = [
        {
            "estimate": name,
            "tau": report.overall.kendall.value,
            "rho": report.overall.spearman.value,
            "tau of the top": report.top.kendall.value if report.top else None,
            "regret": report.regret,
            "tau between": inside.between.kendall.value if inside and inside.between else None,
            "regret of the split": inside.regret if inside else None,
            "architectures": report.known,
        }
        for name, (report, inside) in judged.items()
    ]
    three = numbers("%.3f")
    columns = dict.fromkeys(("tau", "rho", "tau of the top", "tau between"), three)
    columns |= {"regret": numbers(view.task.form, GLOSSARY["regret"])}
    columns |= {
        "regret of the split": numbers(view.task.form),
        "architectures": numbers("localized"),
    }
    show_table(pd.DataFrame(rows), f"{len(rows)} estimates", columns)
    show_source(
        [*view.source, "intervals: Fieller, Hartley and Pearson (1957)"],
        _command(view, keys),
        "estimates_source",
        pd.DataFrame(rows),
    )


@cached_figure
def _draw_ranking(
    judged: tuple[tuple[str, tuple[EstimateReport, SplitEstimate | None]], ...],
    threshold: float,
    split: str,
    caption: tuple[str, ...],
) -> go.Figure:
    return ranking_figure(dict(judged), threshold, split, caption)


def _only(view: View) -> tuple[str, ...]:
    """Return the limit of the cost for the caption of a figure, if there is one."""
    return (f"only {view.limit}",) if view.limit else ()


def _offer_csv(view: View, labels: Mapping[str, str], sources: Mapping[str, Source]) -> None:
    columns = {labels[key]: (info.name, column.name) for key, (info, column) in sources.items()}
    offer_download(
        "Estimates of all architectures (CSV)",
        lambda: columns_csv(columns, view.workspace.data_dir, view.space),
        "estimates.csv",
        "estimates_csv",
    )


def _show_against(view: View, joined: Mapping[str, _Joined]) -> None:
    name = choose_one("Estimate", list(joined), "against", format_func=plain)
    figure = _draw_against(joined[name], name, view.axis_title, view.threshold, _only(view))
    show_figure(figure, "estimates_against", source=view.source[:2])


@cached_figure
def _draw_against(
    joined: _Joined, name: str, axis_title: str, threshold: float, caption: tuple[str, ...]
) -> go.Figure:
    report, _ = _judge(joined, threshold, None)
    return estimate_figure(joined.frame, report, name, axis_title, threshold, caption)


def _show_sub_spaces(view: View, judged: Judged) -> None:
    """List what each estimate offers in each sub-space of the split in view."""
    split, labels = view.split, {}
    if split is not None and split.is_partition:
        labels = {"label": group_labels(split.leaves)}
    for name, (_, inside) in judged.items():
        if inside is None:
            continue
        table = inside.sub_spaces
        st.markdown(f"**{plain(name)}**")
        show_columns(
            {
                "sub-space": table["sub_space"],
                **labels,
                "architectures": (table["known"], numbers("localized")),
                "tau": (table["tau"], numbers("%.3f")),
                "rho": (table["rho"], numbers("%.3f")),
                "highest estimate": (table["estimate"], numbers("%.4g")),
                "its accuracy": (table["offered"], numbers(view.task.form)),
                "best": (table["best"], numbers(view.task.form)),
                "regret": (table["regret"], numbers(view.task.form, GLOSSARY["regret"])),
            },
            f"{name} in {len(table)} sub-spaces",
        )
    if view.split is None:
        st.caption("Choose or make a split to see how estimates rank in its sub-spaces.")


def _command(view: View, keys: list[str]) -> str:
    assert view.table is not None
    options = [part for key in keys for part in ("--estimate", key)]
    if view.split is not None and view.split.request:
        options += ["--run", view.split.key]
    options += ["--accuracy", view.kind, "--table", view.table.name]
    options += ["--at-most", view.limit.option] if view.limit else []
    return view.repeat(shlex.join(["fewshot", "estimates", *options]))
