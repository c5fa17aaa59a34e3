"""The Results page: search results in the form of the paper's tables."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import TextColumn

from fewshot_core.analysis import recorded_results, results_csv, results_latex, results_markdown
from fewshot_core.analysis.results import (
    ALGORITHM_LABELS,
    DIGITS,
    NO_RESULT,
    NO_SPLITTING,
    cell_text,
    results_table,
    support_text,
)
from fewshot_core.bench import list_tables
from fewshot_core.dashboard.search.form import show_start
from fewshot_core.dashboard.search.plans import Place, make_plan
from fewshot_core.dashboard.shared.controls import (
    SEPARATOR,
    choose_one,
    counted,
    offer_exports,
    plain,
    show_errors,
    show_table,
    show_tabs,
    show_tiles,
)
from fewshot_core.dashboard.shared.figures import choose_evidence, show_figure, show_source
from fewshot_core.dashboard.shared.page import RESULTS, RUNS, SEARCH, SPLIT, link_to, show_empty
from fewshot_core.dashboard.shared.requests import choose_device, choose_preset, choose_source
from fewshot_core.dashboard.shared.sidebar import (
    View,
    how_to_import,
    open_page,
    show_missing_table,
    without_supernet,
)
from fewshot_core.dashboard.shared.splits import (
    distinct_labels,
    metric_option,
    open_split,
    record_label,
)
from fewshot_core.evidence import Evidence, group_by_evidence
from fewshot_core.metrics import METRICS
from fewshot_core.plots import dots_figure
from fewshot_core.reproduction import (
    FINDINGS,
    SHARE_RULE,
    Claim,
    Evaluated,
    Finding,
    Group,
    Verdict,
    evaluate,
    is_measured,
    read_findings,
    read_material,
    run_names,
)
from fewshot_core.runs import SearchRequest, in_data_folder
from fewshot_core.search import ALGORITHMS, PRESETS
from fewshot_core.space import NAS_BENCH_201, SPACES, SubSpace, get_space
from fewshot_core.splitting.files import imported_names
from fewshot_core.store import KnownSplit, known_splits

_CELL, _BETWEEN = "cell", "/"
_SHOWN = {"both": "Measured and published", "measured": "Measured", "published": "Published"}

Row = Mapping[Hashable, Any]


def show_results_page() -> None:
    """Draw the page: the tables of the paper, and its claims."""
    view = open_page("Results")
    shows = {"Tables": _show_tables, "Findings": _show_findings, "Claims": _show_claims}
    show_tabs({name: partial(show, view) for name, show in shows.items()}, "results")


@show_errors()
def _show_tables(view: View) -> None:
    info, of_paper = view.table, view.space == NAS_BENCH_201
    if not view.has_supernet:
        st.info(without_supernet(view), icon=":material/info:")
        return
    if info is None:
        show_missing_table(view)
        return
    imported = imported_names(view.workspace.data_dir)
    here = view.workspace.data_dir, view.workspace.store.revision
    stamp = repr((*here, imported, info, view.limit, view.space.name, view.dataset, view.kind))
    splits, templates, found = _read(view, stamp)
    label = plain(view.task.label)
    number = view.space.datasets.index(view.task) + 1
    heading = f"Table {number} of the paper" if of_paper else plain(view.space.label)
    st.subheader(f"{heading}: {label}")
    evidence, show = _choose(found, of_paper)
    table = _table(view, found, stamp, evidence)
    of_table = found["evidence"].map(lambda each: each == evidence).astype(bool)
    _show_notes(view, table, found[of_table])
    chosen = _show_grid(table, show)
    _show_source(view, evidence)
    _show_exports(view, table, show)
    if chosen is not None:
        template = None if evidence is None else templates[evidence]
        _show_cell(view, table, *chosen, splits, template)


_COLOURS = {
    Verdict.HOLDS: "green",
    Verdict.FAILS: "red",
    Verdict.UNKNOWN: "orange",
    Verdict.MISSING: "gray",
}


@show_errors()
def _show_claims(view: View) -> None:
    info = view.table
    if view.space != NAS_BENCH_201:
        label = NAS_BENCH_201.label
        text = (
            f"The claims of the paper are about {label} only: none of them is checked on "
            f"{plain(view.space.label)}. *Findings* are about all search spaces."
        )
        query = {"space": NAS_BENCH_201.name, "results": "Claims"}
        show_empty(text, RESULTS, f"See the claims in {label}", query)
        link_to(RESULTS, "Findings", {"results": "Findings"})
        return
    if info is None:
        show_missing_table(view)
        return
    stamp = repr((view.workspace.data_dir, view.workspace.store.revision, info, view.kind))
    evaluated, commands = _evaluate(view, stamp)
    if view.limit is not None:
        st.caption("The claims are about the whole space: the limit of the cost leaves them as is.")
    st.markdown(
        "Every claim of the paper's Section 4, checked by a fixed rule on the runs of this data "
        "folder. A badge is a verdict, with the number of kinds of evidence that it is about; "
        "*paper* is that of the paper's printed tables alone."
    )
    for number, (claim, evidence) in enumerate(evaluated):
        _show_claim(claim, evidence, commands, view, f"claim_{number}")
    command = f"fewshot reproduce --accuracy {view.kind} --table {info.name}"
    show_source([info.label, "all runs of this data folder"], command, "claims_source")


@show_errors()
def _show_findings(view: View) -> None:
    evaluated, commands = findings_in(view)
    runs = run_names(evaluated)
    names = {info.space for info in list_tables(view.workspace.data_dir, None)}
    missing = [space for space in map(get_space, SPACES.names()) if space.name not in names]
    if view.limit is not None:
        st.caption("The limit of the cost is of one space: findings are about whole spaces.")
    if missing:
        texts = "".join(f"\n* {plain(space.label)}: {how_to_import(space)}" for space in missing)
        st.info(f"**Search spaces without a table here**\n{texts}", icon=":material/table_chart:")
    for number, (claim, evidence) in enumerate(evaluated):
        _show_claim(claim, evidence, commands, view, f"finding_{number}", runs)
    parts = ["all tables", "all runs of this data folder"]
    show_source(parts, "fewshot findings", "findings_source")


def findings_in(view: View) -> tuple[Evaluated, dict[str, str]]:
    """Evaluate the findings of the data folder, and the commands that extend them."""
    workspace = view.workspace
    tables = list_tables(workspace.data_dir, None)
    imported = imported_names(workspace.data_dir)
    stamp = repr((workspace.data_dir, workspace.store.revision, imported, tables))
    return _read_findings(view, stamp)


@st.cache_resource(show_spinner="Reading all runs and tables", max_entries=2)
def _read_findings(_view: View, stamp: str) -> tuple[Evaluated, dict[str, str]]:
    material = read_findings(_view.workspace.store, _view.workspace.data_dir)
    return evaluate(material, FINDINGS), material.commands()


def _show_claim(
    claim: Claim,
    evidence: Sequence[tuple[Finding, Group]],
    commands: Mapping[str, str],
    view: View,
    key: str,
    runs: Mapping[tuple[str, ...], str] | None = None,
) -> None:
    """Show a claim with its verdicts, and the numbers of one of them.

    Where its sets of runs have names, the numbers have a link to their runs.
    """
    counts = Counter(_badge(finding, group) for finding, group in evidence)
    badges = [
        badge if count == 1 else f"{badge[:-1]} ({count})]" for badge, count in counts.items()
    ]
    if not is_measured(evidence):
        badges.insert(0, ":gray-badge[not measured]")
    with st.expander(f"{claim.title} {' '.join(badges)}"):
        st.markdown(f"*{claim.place}.* {claim.statement}")
        for finding, group in evidence:
            _show_verdict(finding, group)
        known = {
            group.title: (finding, group)
            for finding, group in evidence
            if finding.table or finding.points is not None
        }
        if known:
            chosen, *others = known
            if others:
                settings: Any = {"key": f"{key}_numbers", "bind": "query-params"}
                chosen = st.selectbox("Numbers of", list(known), **settings)
            _show_evidence(claim, *known[chosen], key, runs or {})
        rule = claim.rule.replace("Share rule.", f"Share rule: {SHARE_RULE}.")
        st.caption("**Rule.** " + _LINK.sub(r"\1", rule))
        if claim.changes:
            st.caption(f"**What would change our mind.** {claim.changes}")
        if claim.changes or not is_measured(evidence):
            st.caption("Repeat or extend it:" if claim.changes else "The missing runs:")
            text = in_data_folder(claim.command.format(**commands), view.workspace.data_dir)
            st.code(text, language="sh", wrap_lines=True)


_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
"""A link to the documentation, which is not part of the app."""


def _badge(finding: Finding, group: Group) -> str:
    """Return the verdict of a finding as a badge; a smoke test gets none."""
    if not group.conclusive:
        return ":gray-badge[smoke test]"
    origin = "" if group.measured else "paper: "
    return f":{_COLOURS[finding.verdict]}-badge[{origin}{finding.verdict}]"


def _show_verdict(finding: Finding, group: Group) -> None:
    runs = f", {counted(len(group.runs), 'run')}" if group.runs else ""
    reason = f" {finding.reason[:1].upper()}{finding.reason[1:]}." * group.conclusive
    st.markdown(
        f"{_badge(finding, group)} **{plain(group.title)}**{runs}: "
        f"{plain(finding.measured + reason)}"
    )
    st.caption(plain(group.scale))


def _show_evidence(
    claim: Claim, finding: Finding, group: Group, key: str, runs: Mapping[tuple[str, ...], str]
) -> None:
    if finding.table:
        texts = pd.DataFrame(finding.table).map(
            lambda one: f"{one:.2f}" if isinstance(one, float) else one
        )
        show_table(texts.map(str), f"Numbers of {group.title}")
    if finding.points is not None:
        figure = dots_figure(finding.points, group.title, claim.axis)
        show_figure(figure, key, source=[group.scale])
    if group.runs in runs:
        text = f"{runs[group.runs]}: {counted(len(group.runs), 'run')} behind these numbers"
        link_to(RUNS, text, {"finding": group.key})


@st.cache_resource(show_spinner="Checking the claims on the runs that are here", max_entries=4)
def _evaluate(_view: View, stamp: str) -> tuple[Evaluated, dict[str, str]]:
    """Evaluate all claims by the table in view, once for each set of runs."""
    workspace, table = _view.workspace, _view.table.name if _view.table else None
    material = read_material(workspace.store, workspace.data_dir, _view.kind, table)
    return evaluate(material), material.commands()


@st.cache_resource(show_spinner="Reading recorded searches", max_entries=16)
def _read(
    _view: View, stamp: str
) -> tuple[list[KnownSplit], dict[Evidence, SearchRequest], pd.DataFrame]:
    """Return the splits of the data set in view, a search of each evidence, and all results."""
    store = _view.workspace.store
    splits = known_splits(store, _view.workspace.data_dir, _view.dataset, _view.space)
    searches = store.searches(_view.dataset, _view.space.name)
    records = store.search_records(list(searches["run_id"]))
    firsts = searches.drop_duplicates("evidence")["request"]
    requests = [SearchRequest.from_dict(json.loads(text)) for text in firsts]
    templates = {request.evidence: request for request in requests}
    accuracies = _view.accuracy(), _view.space, _view.allowed()
    found = recorded_results(splits, searches, records, *accuracies)
    return splits, templates, found


@st.cache_resource(show_spinner=False, max_entries=32)
def _table(
    _view: View, _found: pd.DataFrame, stamp: str, evidence: Evidence | None
) -> pd.DataFrame:
    return results_table(_found, _view.dataset, evidence, _view.kind, _view.space)


def _choose(found: pd.DataFrame, of_paper: bool) -> tuple[Evidence | None, str]:
    left, right = st.columns(2)
    runs = found.drop_duplicates("run_id")
    groups = group_by_evidence(zip(runs["run_id"], runs["evidence"], strict=True))
    with left:
        evidence = choose_evidence(groups, "search", "searches", key="protocol") if groups else None
        if evidence is not None:
            st.caption(SEPARATOR.join([evidence.label, *evidence.badges]))
    if not of_paper:
        return evidence, "measured"
    show = choose_one("Cells show", _SHOWN, "cells_show", right, format_func=_SHOWN.__getitem__)
    return evidence, show


def _show_notes(view: View, table: pd.DataFrame, found: pd.DataFrame) -> None:
    if view.limit is not None:
        beyond = int(found.drop_duplicates("run_id")["infeasible"].sum())
        st.info(
            f"{counted(beyond, 'search', 'searches')} of {found['run_id'].nunique()} found an "
            f"architecture beyond the limit ({plain(str(view.limit))}): infeasible, they count as "
            "searched, but what they found does not. A cell has the best feasible architecture "
            "found. The published results knew no limit.",
            icon=":material/filter_alt:",
        )
    if (table["seeds"] + table["infeasible"]).sum() == 0:
        st.info(
            "No split is searched completely yet: measured results will appear next to the "
            "published ones. Choose a cell, and *Start* its missing searches.",
            icon=":material/table_chart:",
        )
    if view.kind != "test" and view.space == NAS_BENCH_201:
        st.warning(
            "The paper reports test accuracies. The measured ones are looked up in a table of "
            "validation accuracies, which are on another scale, so that no difference is shown: "
            "choose *test* in the sidebar for one.",
            icon=":material/straighten:",
        )


def _show_grid(table: pd.DataFrame, show: str) -> tuple[str, str] | None:
    """Draw the table, the best of each algorithm in bold; return the chosen cell, if any."""
    metrics = list(dict.fromkeys(table["metric"]))
    texts: dict[str, Any] = {"metric": list(dict.fromkeys(table["label"]))}
    bold: dict[str, Any] = {"metric": False}
    owners: dict[str, str] = {}
    common = None if show == "published" else _common_support(table)
    for algorithm, part in table.groupby("algorithm", sort=False):
        label = _algorithm_label(str(algorithm))
        rows = part.to_dict("records")
        cells_of: dict[str, tuple[list[str], Any]] = {}
        if show != "published":
            cells_of[label] = [_measured(row, common) for row in rows], part["best"].to_numpy()
        if show != "measured":
            heading = label if show == "published" else f"{label} paper"
            cells = [cell_text(row["published_mean"], row["published_std"]) for row in rows]
            cells_of[heading] = cells, part["published_best"].to_numpy()
        if show == "both" and part["difference"].notna().any():
            cells_of[f"Δ {label}"] = [_signed(row["difference"]) for row in rows], False
        for heading, (cells, best) in cells_of.items():
            texts[heading], bold[heading], owners[heading] = cells, best, str(algorithm)
    frame = pd.DataFrame(texts)
    marks = pd.DataFrame(bold, index=frame.index)
    styles = marks.map(lambda best: "font-weight: 700" * best)
    columns = {  # a bold text needs more room than Streamlit leaves for it
        heading: TextColumn(
            "paper" if heading.endswith(" paper") else None,
            width=int(6 * max(map(len, frame[heading]))) + 18 if marks[heading].any() else None,
        )
        for heading in owners
    }
    measured = f" All measured ones: {plain(common.strip(' []'))}." if common else ""
    st.caption(
        f"Choose a cell for its numbers and its missing searches; {NO_RESULT}: not searched."
        + measured
    )
    answer = show_table(
        frame.style.apply(lambda _: styles, axis=None),
        _summary(table),
        {"metric": TextColumn(pinned=True), **columns},
        key="results_grid",
        on_select="rerun",
        selection_mode="single-cell",
        selection_default=_linked_cell(metrics, owners),
        height="content",
    )
    for row, heading in answer.selection.cells:
        if heading in owners:
            st.query_params[_CELL] = f"{metrics[row]}{_BETWEEN}{owners[heading]}"
            return metrics[row], owners[heading]
    if _CELL in st.query_params:
        del st.query_params[_CELL]
    return None


def _linked_cell(metrics: list[str], owners: Mapping[str, str]) -> Any:
    metric, _, algorithm = st.query_params.get(_CELL, "").partition(_BETWEEN)
    headings = [heading for heading, owner in owners.items() if owner == algorithm]
    if metric not in metrics or not headings:
        return None
    return {"selection": {"cells": [[metrics.index(metric), headings[0]]]}}


def _algorithm_label(name: str) -> str:
    return ALGORITHM_LABELS.get(name) or record_label(ALGORITHMS, name)


def _common_support(table: pd.DataFrame) -> str | None:
    """Return the support text that all measured cells share, or None if they differ.

    It is None for a single cell, too, which says it itself.
    """
    supports = [support_text(row) for row in table.to_dict("records") if row["seeds"]]
    return supports[0] if len(supports) > 1 and len(set(supports)) == 1 else None


def _measured(row: Row, common: str | None) -> str:
    """Format a measured cell, with what it rests on unless that is common to all of them."""
    support = support_text(row)
    return cell_text(row["mean"], row["std"]) + support * (support != common)


def _signed(difference: float) -> str:
    return "" if pd.isna(difference) else f"{difference:+.{DIGITS}f}".replace("-", "−")


def _summary(table: pd.DataFrame) -> str:
    """Return the text alternative of a table."""
    done = table[table["seeds"] > 0]
    best = [
        f"{row['label']} is best with {_algorithm_label(str(row['algorithm']))}"
        for row in done[done["best"]].to_dict("records")
    ]
    start = f"Results of {len(done)} of {len(table)} cells."
    return f"{start} {'; '.join(best)}." if best else start


def _show_source(view: View, evidence: Evidence | None) -> None:
    parts = [*view.source, evidence.label if evidence else "no searches"]
    command = f"{view.repeat('fewshot results')} --accuracy {view.kind}"
    command += f" --table {view.table.name}" if view.table else ""
    command += f" --evidence {evidence.key}" if evidence else ""
    command += f" --at-most {shlex.quote(view.limit.option)}" if view.limit else ""
    show_source(parts, command, "results_source")


def _show_exports(view: View, table: pd.DataFrame, show: str) -> None:
    limit = str(view.limit or "")
    exports = {
        "csv": lambda: results_csv(table),
        "md": lambda: results_markdown(table, show, view.kind, limit),
        "tex": lambda: results_latex(table, show, view.kind, limit),
    }
    offer_exports(f"results-{view.dataset}", exports)


def _show_cell(
    view: View,
    table: pd.DataFrame,
    metric: str,
    algorithm: str,
    splits: list[KnownSplit],
    template: SearchRequest | None,
) -> None:
    """Show a cell, and start what it lacks like the other searches of the table."""
    here = (table["metric"] == metric) & (table["algorithm"] == algorithm)
    row = table[here].to_dict("records")[0]
    label = _algorithm_label(algorithm)
    st.subheader(plain(f"{row['label']} with {label}"))
    _show_numbers(row)
    if not row["missing"]:
        return
    st.markdown(f"**To be run**: {plain(row['missing'])}.")
    left, right = st.columns(2, gap="large")
    with right:
        if template is None:
            options, images = PRESETS.get(choose_preset()).search, choose_source(view)
            template = SearchRequest(
                view.dataset,
                algorithm,
                tuple(SubSpace.full(view.space).rows),
                options,
                images=images,
                space=view.space.name,
            )
        else:
            template = replace(template, algorithm=algorithm)
            st.caption(plain(f"Like the other searches of this table: {template.evidence.label}"))
        device = choose_device()
    with left:
        place = _choose_place(view, row, splits, template.evidence)
    if place is None:
        return
    names = ("options", "images", "checkpoint", "precision", "compiled")
    settings = {name: getattr(template, name) for name in names}
    settings |= {"dataset": view.dataset, "algorithm": algorithm, "device": device}
    with left:
        show_start(
            view.workspace,
            make_plan(view.workspace, place, row["missing_seeds"], **settings),
        )
        link_to(SEARCH, "Watch searches")


def _show_numbers(row: Row) -> None:
    seeds = f", {counted(row['seeds'], 'seed')}" if row["seeds"] else ""
    tiles = {
        f"Measured{seeds}": (cell_text(row["mean"], row["std"]), None),
        "Published": (cell_text(row["published_mean"], row["published_std"]), None),
        "Difference": (_signed(row["difference"]) or NO_RESULT, None),
    }
    show_tiles(tiles, 3)
    notes = [row["notes"]] if row["notes"] else []
    if row["other_splits"]:
        others = counted(row["other_splits"], "other split")
        notes.append(f"{others} by this metric searched as well: a mean is of one split only")
    if notes:
        st.caption(SEPARATOR.join(notes))


def _choose_place(
    view: View, row: Row, splits: Sequence[KnownSplit], evidence: Evidence
) -> Place | None:
    """Choose the split to search in, the one of the cell's results if any; None without one.

    Splits made with synthetic images or in a smoke test are only for searches that were, too.
    """
    metric = row["metric"]
    if metric == NO_SPLITTING:
        return Place(view.space)
    labels = distinct_labels(view.split_labels())
    known = [split for split in splits if split.metric == metric and split.key in labels]
    keys = [
        split.key
        for split in sorted(known, key=lambda split: split.evidence.rank)
        if split.evidence.images in ("real", "", "unknown", evidence.images)
        and (split.evidence.conclusive or not evidence.conclusive)
    ]
    if row["seeds"]:
        keys = [key for key in keys if key == row["split"]]
    if not keys:
        which = "that these searches may fill the cell with" if known else "yet"
        st.markdown(f"There is no split of {plain(view.task.label)} by {metric} {which}.")
        if metric in METRICS:
            link_to(SPLIT, "Make this split", {"metric": metric_option(metric)})
        return None
    chosen = st.selectbox(
        "Split", keys, key=f"results_split_{metric}", format_func=labels.__getitem__
    )
    return Place(view.space, open_split(view.workspace.store, chosen))
