"""Plans: the searches of one algorithm in all sub-spaces of a split."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from fewshot_core.analysis.search_epochs import UNSPLIT
from fewshot_core.dashboard.shared.controls import counted, show_errors
from fewshot_core.dashboard.shared.figures import time_text
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import FILE, SplitInView, record_label
from fewshot_core.data_folder import demo_dir
from fewshot_core.errors import FewshotError
from fewshot_core.evidence import size_label
from fewshot_core.images import find_source
from fewshot_core.runs import RunFolder, SearchRequest, State, Status
from fewshot_core.runs.folder import FileCache
from fewshot_core.runs.jobs import planned_folder
from fewshot_core.runs.overview import RunSummary
from fewshot_core.search import ALGORITHMS
from fewshot_core.search.records import RECORDS
from fewshot_core.space import SearchSpace, SubSpace, sub_spaces_of

Fingerprints = Mapping[str, str | None]

_STATES = ("done", "running", "waiting", "failed", "cancelled", "lost", "not started")


@dataclass(frozen=True)
class Place:
    """Where to search: in the sub-spaces of a split, or in the whole space without one."""

    space: SearchSpace
    split: SplitInView | None = None

    @cached_property
    def spaces(self) -> Mapping[str, SubSpace]:
        """The sub-spaces in tree order."""
        if self.split is None:
            return {UNSPLIT: SubSpace.full(self.space)}
        leaves = sub_spaces_of(self.split.leaves)
        return {f"S{number}": leaf for number, leaf in enumerate(leaves, 1)}

    @property
    def split_name(self) -> str | None:
        """What the command line calls the split."""
        return self.split.key.removeprefix(FILE) if self.split else None


@dataclass(frozen=True)
class PlannedSearch:
    """A search of a plan, in the sub-space ``name``; the folder of its run may not exist yet."""

    name: str
    request: SearchRequest
    folder: RunFolder

    @cached_property
    def status(self) -> Status | None:
        """The status of its run when first asked for; None without a run, failed if damaged."""
        if not self.folder.path.is_dir():
            return None
        try:
            return self.folder.status()
        except FewshotError as error:
            return Status(State.FAILED, str(error))

    @property
    def state(self) -> str:
        """Its state in a word or two."""
        if self.status is None:
            return "not started"
        return "waiting" if self.status.state is State.QUEUED else self.status.state.value

    @property
    def active(self) -> bool:
        """Whether it is running or waiting."""
        return self.status is not None and self.status.state.active

    @property
    def done(self) -> bool:
        """Whether it ended well."""
        return self.status is not None and self.status.state is State.DONE

    @property
    def title(self) -> str:
        """Sub-space and seed."""
        return f"{self.name}, seed {self.request.seed}"

    def records(self) -> list[dict[str, Any]]:
        """Return its epochs, cached until their file changes; they must not be changed."""
        if self.status is None:
            return []
        try:
            return _RECORDS.read(self.folder.path / RECORDS)
        except (FewshotError, OSError):
            return []


@dataclass(frozen=True)
class SearchPlan:
    """A plan: the searches of a group in a place, those of the lowest seed first.

    Searches of a group are by one algorithm, with equal evidence.
    """

    place: Place
    seeds: tuple[int, ...]
    searches: tuple[PlannedSearch, ...]
    synthetic: bool

    @property
    def request(self) -> SearchRequest:
        """One of its requests: all have the same options."""
        return self.searches[0].request

    @property
    def key(self) -> str:
        """Its name in the URL."""
        return self.request.group

    @property
    def notes(self) -> list[str]:
        """What its figures must say."""
        places = {search.folder.path.parent.parent for search in self.searches if search.status}
        return list(self.request.evidence.notes(places == {demo_dir()}, len(self.seeds) == 1))

    @property
    def label(self) -> str:
        """Its short name."""
        return plan_label(self.request, self.seeds)

    @property
    def summary(self) -> str:
        """How many searches there are in which states: "8 searches: 3 done, 5 not started"."""
        total = counted(len(self.searches), "search", "searches")
        counts = Counter(search.state for search in self.searches)
        if set(counts) == {"not started"}:
            return total
        parts = [f"{counts[state]} {state}" for state in _STATES if counts[state]]
        return f"{total}: {', '.join(parts)}"

    @property
    def active(self) -> list[PlannedSearch]:
        """The searches that are running or waiting."""
        return [search for search in self.searches if search.active]

    @property
    def missing(self) -> list[PlannedSearch]:
        """The searches that must be started to complete it."""
        return [search for search in self.searches if not (search.active or search.done)]

    def refreshed(self) -> "SearchPlan":
        """Return the plan with the present status of its searches."""
        return replace(self, searches=tuple(replace(search) for search in self.searches))

    def find(self, name: str, seed: int) -> PlannedSearch:
        """Return the search of a sub-space and a seed."""
        return self._by_place[name, seed]

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, int], PlannedSearch]:
        return {(search.name, search.request.seed): search for search in self.searches}


def plan_label(request: SearchRequest, seeds: Collection[int]) -> str:
    """Return the short name of a plan, given one of its requests."""
    method = record_label(ALGORITHMS, request.algorithm)
    text = f"seed {next(iter(seeds))}" if len(seeds) == 1 else f"{len(seeds)} seeds"
    return f"{method} · {request.evidence.label} · {text}"


def make_plan(
    workspace: Workspace, place: Place, seeds: Sequence[int], **settings: Any
) -> SearchPlan | None:
    """Make the plan of searches in some sub-spaces, for at least one seed.

    Settings are those of a ``SearchRequest`` but for sub-space and seed. None, with an error on the
    page, where they are not valid, or images or a checkpoint are missing.
    """
    with show_errors():
        rows = tuple(SubSpace.full(place.space).rows)
        request = SearchRequest(rows=rows, seed=0, space=place.space.name, **settings)
        fingerprints = request.fingerprints(workspace.data_dir)
        source = find_source(request.dataset, request.images, workspace.data_dir)
        return _plan(workspace, request, fingerprints, source.synthetic, {}, place, seeds)
    return None


@dataclass(frozen=True)
class KnownSearches:
    """The searches of a group that were started in a place, by rows and seed, the latest first."""

    runs: Mapping[tuple[tuple[str, ...], int], tuple[SearchRequest, RunSummary]]

    @property
    def seeds(self) -> list[int]:
        """Their seeds, ascending."""
        return sorted({seed for _, seed in self.runs})

    @property
    def label(self) -> str:
        """The short name of their plan."""
        return plan_label(next(iter(self.runs.values()))[0], self.seeds)

    def plan(self, workspace: Workspace, place: Place) -> SearchPlan:
        """Plan them, and what is missing of their plan with the options of the latest."""
        request, run = next(iter(self.runs.values()))
        manifest = json.loads(run.manifest)
        known = {key: (request, run.folder) for key, (request, run) in self.runs.items()}
        prints, synthetic = manifest.get("fingerprints", {}), bool(manifest.get("synthetic"))
        return _plan(workspace, request, prints, synthetic, known, place, self.seeds)


def _plan(
    workspace: Workspace,
    request: SearchRequest,
    fingerprints: Fingerprints,
    synthetic: bool,
    known: Mapping[tuple[tuple[str, ...], int], tuple[SearchRequest, RunFolder]],
    place: Place,
    seeds: Sequence[int],
) -> SearchPlan:
    """Plan what is known, and requests like the given one of what is missing."""
    demo = {run.run_id: run.folder for run in workspace.runs() if run.demo}
    rows = {name: tuple(space.rows) for name, space in place.spaces.items()}
    prints = tuple(sorted(fingerprints.items()))
    searches = []
    for name, seed in ((name, seed) for seed in seeds for name in rows):
        if (found := known.get((rows[name], seed))) is None:
            found = _planned(request, rows[name], seed, prints, workspace.data_dir)
            if not found[1].path.is_dir():
                found = found[0], demo.get(found[1].run_id, found[1])
        searches.append(PlannedSearch(name, *found))
    return SearchPlan(place, tuple(seeds), tuple(searches), synthetic)


@lru_cache(maxsize=4096)
def _planned(
    request: SearchRequest,
    rows: tuple[str, ...],
    seed: int,
    fingerprints: tuple[tuple[str, str | None], ...],
    data_dir: Path,
) -> tuple[SearchRequest, RunFolder]:
    request = replace(request, rows=rows, seed=seed)
    return request, planned_folder(request, dict(fingerprints), data_dir)


def known_plans(view: View, place: Place) -> dict[str, KnownSearches]:
    """Return the searches that were started by the key of their plan, the latest plan first."""
    rows = {tuple(space.rows) for space in place.spaces.values()}
    found: dict[str, dict[Any, tuple[SearchRequest, RunSummary]]] = {}
    dataset = json.dumps(view.dataset)
    for run in view.workspace.runs():
        # Of thousands, only those are read that can be of the data set.
        wanted = run.kind == SearchRequest.kind and dataset in run.manifest
        request = run.request if wanted else None
        if (
            isinstance(request, SearchRequest)
            and (request.space, request.dataset) == (view.space.name, view.dataset)
            and request.rows in rows
        ):
            of_group = found.setdefault(request.group, {})
            of_group.setdefault((request.rows, request.seed), (request, run))
    return {key: KnownSearches(runs) for key, runs in found.items()}


_RECORDS = FileCache(lambda path: RunFolder(path.parent).records(), kept=512)


def plan_source(plan: SearchPlan) -> list[str]:
    """Return the source of the results of a plan, in parts."""
    seeds = f"seed{'s' * (len(plan.seeds) > 1)} {', '.join(map(str, plan.seeds))}"
    parts = [f"{len(plan.searches)} searches, {seeds}"]
    if plan.place.split is not None:
        parts.append(f"split {plan.place.split.label}")
    parts += request_source(plan.request, plan.synthetic)
    ends = [s.status.updated or 0.0 for s in plan.searches if s.status and not s.active]
    if any(ends):
        parts.append(time_text(max(ends)))
    return parts


def request_source(request: SearchRequest, synthetic: bool) -> list[str]:
    """Return the settings of a search, in parts."""
    options = request.options
    count = "all" if options.images is None else f"{options.images:,}"
    cells = 0 if request.fixed_depth else options.cells_per_stage
    weights = "randomly initialised" if request.checkpoint is None else "inherited weights"
    return [
        request.method_label,
        f"{size_label(options.channels, cells)}{' per stage' * bool(cells)}, {weights}",
        f"{count} {'synthetic ' * synthetic}images ({request.images or 'first real source'})",
        f"batch size {options.batch_size}",
        "batch norm: batch",
        request.device,
    ]
