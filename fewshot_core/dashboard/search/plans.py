"""Plans: the searches of one algorithm in all sub-spaces of a split."""

from collections import Counter
from collections.abc import Mapping, Sequence
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
from fewshot_core.runs import RunFolder, SearchRequest, State, Status, plan
from fewshot_core.runs.folder import FileCache
from fewshot_core.runs.jobs import planned_folder
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
    def seeds_text(self) -> str:
        """Its seeds: "seeds 777, 888"."""
        return f"seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}"

    @property
    def label(self) -> str:
        """Its short name."""
        method = record_label(ALGORITHMS, self.request.algorithm)
        seeds = self.seeds_text if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        return f"{method} · {self.request.evidence.label} · {seeds}"

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
        return next(s for s in self.searches if s.name == name and s.request.seed == seed)


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
        search = _Search(request, fingerprints, source.synthetic)
        return _plan(workspace, [search], place, seeds)
    return None


def _plan(
    workspace: Workspace, known: Sequence["_Search"], place: Place, seeds: Sequence[int]
) -> SearchPlan:
    """Plan what is known, the latest first, and what is missing of it with the latest's options."""
    latest = known[0]
    spaces, prints = tuple(place.spaces.values()), tuple(sorted(latest.fingerprints.items()))
    requests, folders = _planned(latest.request, spaces, tuple(seeds), prints, workspace.data_dir)
    demo = {run.run_id: run.folder for run in workspace.runs() if run.demo}
    started = {(s.request.rows, s.request.seed): s for s in reversed(known) if s.folder}
    searches = []
    for number, (request, folder) in enumerate(zip(requests, folders, strict=True)):
        name = list(place.spaces)[number % len(spaces)]
        one = started.get((request.rows, request.seed))
        if one is not None and one.folder is not None:
            request, folder = one.request, one.folder
        elif not folder.path.is_dir():
            folder = demo.get(folder.run_id, folder)
        searches.append(PlannedSearch(name, request, folder))
    return SearchPlan(place, tuple(seeds), tuple(searches), latest.synthetic)


@lru_cache(maxsize=512)
def _planned(
    request: SearchRequest,
    spaces: tuple[SubSpace, ...],
    seeds: tuple[int, ...],
    fingerprints: tuple[tuple[str, str | None], ...],
    data_dir: Path,
) -> tuple[list[SearchRequest], list[RunFolder]]:
    """Return the requests of a plan, and the folders of their runs."""
    requests = [one for seed in seeds for one in plan(request, spaces, [seed])]
    known = dict(fingerprints)
    return requests, [planned_folder(one, known, data_dir) for one in requests]


def known_plans(view: View, place: Place) -> dict[str, SearchPlan]:
    """Return the plans by key of which any search has been started, the latest first."""
    rows = {tuple(space.rows) for space in place.spaces.values()}
    runs = [run for run in view.workspace.runs() if _fits(run.request, view, rows)]
    found: dict[str, list[_Search]] = {}
    for run in runs:
        search = _SEARCHES.read(run.folder.manifest_path)
        if search is not None:
            found.setdefault(search.request.group, []).append(search)
    return {
        key: _plan(view.workspace, known, place, sorted({each.request.seed for each in known}))
        for key, known in found.items()
    }


def _fits(request: object, view: View, rows: set[tuple[str, ...]]) -> bool:
    if not isinstance(request, SearchRequest) or request.space != view.space.name:
        return False
    return request.dataset == view.dataset and request.rows in rows


@dataclass(frozen=True)
class _Search:
    """What a manifest says of a search; its folder, where it was started."""

    request: SearchRequest
    fingerprints: Fingerprints
    synthetic: bool
    folder: RunFolder | None = None


def _read_search(path: Path) -> _Search | None:
    """Read a manifest; None where it is damaged or not of a search."""
    folder = RunFolder(path.parent)
    try:
        manifest, request = folder.manifest(), folder.request()
    except FewshotError:
        return None
    known = manifest.get("fingerprints")
    if not isinstance(request, SearchRequest) or not isinstance(known, dict):
        return None
    return _Search(request, known, bool(manifest.get("synthetic")), folder)


_SEARCHES = FileCache(_read_search)
_RECORDS = FileCache(lambda path: RunFolder(path.parent).records(), kept=512)


def plan_source(plan: SearchPlan) -> list[str]:
    """Return the source of the results of a plan, in parts."""
    parts = [f"{len(plan.searches)} searches, {plan.seeds_text}"]
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
