"""Plans: the searches of one algorithm in all sub-spaces of a split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from fewshot_core.analysis.search_epochs import UNSPLIT
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.splits import SplitInView, search_label
from fewshot_core.data_folder import demo_dir
from fewshot_core.errors import FewshotError
from fewshot_core.runs import RunFolder, SearchRequest, State, Status, list_runs, plan
from fewshot_core.runs.folder import FileCache
from fewshot_core.runs.jobs import planned_folders
from fewshot_core.search.records import RECORDS
from fewshot_core.space import SubSpace

Fingerprints = Mapping[str, str | None]


@dataclass(frozen=True)
class Place:
    """Where to search.

    Attributes:
        spaces: The sub-spaces by their names, in tree order.
        split: The split they are of, or None for the whole space.
    """

    spaces: Mapping[str, SubSpace]
    split: SplitInView | None

    @property
    def split_name(self) -> str | None:
        """What the command line calls the split."""
        return self.split.key.removeprefix("file-") if self.split else None


@dataclass(frozen=True)
class PlannedSearch:
    """A search of a plan, which may have a run or not.

    Attributes:
        name: The name of its sub-space.
        request: What is asked.
        folder: Where its run is or would be.
    """

    name: str
    request: SearchRequest
    folder: RunFolder

    def status(self) -> Status | None:
        """Return how its run goes, or None where there is none; one that is damaged has failed."""
        if not self.folder.path.is_dir():
            return None
        try:
            return self.folder.status()
        except FewshotError as error:
            return Status(State.FAILED, str(error))

    def is_active(self) -> bool:
        """Whether a process works on it, or waits for its turn."""
        status = self.status()
        return status is not None and status.state.active

    def is_done(self) -> bool:
        """Whether it has ended well."""
        status = self.status()
        return status is not None and status.state is State.DONE


@dataclass(frozen=True)
class SeenSearch(PlannedSearch):
    """A search of a plan as it was when it was looked at.

    Attributes:
        seen: How its run went, or None where there was none.
    """

    seen: Status | None = None

    def status(self) -> Status | None:
        """Return how its run went when it was looked at."""
        return self.seen


@dataclass(frozen=True)
class SearchPlan:
    """A plan.

    Attributes:
        family: What its searches have in common, as ``SearchRequest.family``.
        place: Where to search.
        seeds: Ascending.
        searches: All of them: those of the first seed come first.
        synthetic: Whether the images are made up.
    """

    family: str
    place: Place
    seeds: tuple[int, ...]
    searches: tuple[PlannedSearch, ...]
    synthetic: bool

    @property
    def request(self) -> SearchRequest:
        """One of its requests: all have the same options."""
        return self.searches[0].request

    @property
    def label(self) -> str:
        """Its short name."""
        seeds = ", ".join(map(str, self.seeds))
        label = search_label(self.request, self.synthetic)
        return f"{label} · seed{'s' * (len(self.seeds) > 1)} {seeds}"

    def seen(self) -> "SearchPlan":
        """Return the plan with its searches as they are now: each is looked at only once."""
        plain = (PlannedSearch(s.name, s.request, s.folder) for s in self.searches)
        seen = (SeenSearch(s.name, s.request, s.folder, s.status()) for s in plain)
        return replace(self, searches=tuple(seen))

    def find(self, name: str, seed: int) -> PlannedSearch:
        """Return the search of a sub-space and a seed."""
        return next(s for s in self.searches if s.name == name and s.request.seed == seed)


def place_of(split: SplitInView | None) -> Place:
    """Return the sub-spaces of a split, or the whole space where there is none."""
    if split is None:
        return Place({UNSPLIT: SubSpace.full()}, None)
    return Place({f"S{number}": leaf for number, leaf in enumerate(split.leaves, 1)}, split)


def make_plan(
    request: SearchRequest,
    place: Place,
    seeds: Sequence[int],
    fingerprints: Fingerprints,
    synthetic: bool,
    data_dir: Path,
) -> SearchPlan:
    """Return the plan of a request in some sub-spaces, for some seeds.

    Args:
        request: What is asked, whatever its sub-space and seed are.
        place: Where to search.
        seeds: At least one.
        fingerprints: Of its images and checkpoint.
        synthetic: Whether the images are made up.
        data_dir: The data folder.
    """
    spaces = tuple(place.spaces.values())
    items = tuple(sorted(fingerprints.items()))
    family, requests, folders = _planned(request, spaces, tuple(seeds), items, data_dir)
    names = [name for _ in seeds for name in place.spaces]
    searches = map(PlannedSearch, names, requests, _with_demo(folders))
    return SearchPlan(family, place, tuple(seeds), tuple(searches), synthetic)


@lru_cache(maxsize=512)
def _planned(
    request: SearchRequest,
    spaces: tuple[SubSpace, ...],
    seeds: tuple[int, ...],
    fingerprints: tuple[tuple[str, str | None], ...],
    data_dir: Path,
) -> tuple[str, list[SearchRequest], list[RunFolder]]:
    """Return the family of a plan, its requests, and the folders of their runs."""
    requests = [one for seed in seeds for one in plan(request, spaces, [seed])]
    known = dict(fingerprints)
    return request.family(known), requests, planned_folders(requests, known, data_dir)


def known_plans(workspace: Workspace, dataset: str, place: Place) -> dict[str, SearchPlan]:
    """Return the plans by family of which any search has been started, the latest first."""
    rows = {tuple(space.rows) for space in place.spaces.values()}
    found: dict[str, tuple[SearchRequest, dict[str, Any], set[int]]] = {}
    own = [
        run.folder
        for run in workspace.runs()
        if isinstance(run.request, SearchRequest)
        and run.request.dataset == dataset
        and run.request.rows in rows
    ]
    for folder in [*own, *_demo_runs().values()]:
        known = _SEARCHES.read(folder.manifest_path)
        if known is None or known[0].dataset != dataset or known[0].rows not in rows:
            continue
        request, manifest, family = known
        found.setdefault(family, (request, manifest, set()))[2].add(request.seed)
    return {
        family: make_plan(
            request,
            place,
            sorted(seeds),
            manifest["fingerprints"],
            bool(manifest.get("synthetic")),
            workspace.data_dir,
        )
        for family, (request, manifest, seeds) in found.items()
    }


def with_seeds(plan: SearchPlan, other: SearchPlan) -> SearchPlan:
    """Return a plan with the seeds of another one of the same family and place, too."""
    seeds = sorted({*plan.seeds, *other.seeds})
    both = {(s.name, s.request.seed): s for s in (*other.searches, *plan.searches)}
    searches = tuple(both[name, seed] for seed in seeds for name in plan.place.spaces)
    return replace(plan, seeds=tuple(seeds), searches=searches)


def records_of(folder: RunFolder) -> list[dict[str, Any]]:
    """Return the epochs of a search, read again only when its file has changed; do not alter."""
    try:
        return _RECORDS.read(folder.path / RECORDS)
    except (FewshotError, OSError):
        return []


def _with_demo(folders: Sequence[RunFolder]) -> list[RunFolder]:
    """Return the folders of runs or, where there is none, that of the same run of the demo's."""
    demo = _demo_runs()
    return [
        demo[folder.run_id] if folder.run_id in demo and not folder.path.is_dir() else folder
        for folder in folders
    ]


def _demo_runs() -> dict[str, RunFolder]:
    """Return the runs that came with the project, by their names."""
    demo = demo_dir()
    return {folder.run_id: folder for folder in list_runs(demo)} if demo else {}


def _search_of(path: Path) -> tuple[SearchRequest, dict[str, Any], str] | None:
    """Return what a run asks for, its manifest and its family, or None where it is no search."""
    folder = RunFolder(path.parent)
    try:
        manifest, request = folder.manifest(), folder.request()
    except FewshotError:
        return None
    fingerprints = manifest.get("fingerprints")
    if not isinstance(request, SearchRequest) or not isinstance(fingerprints, dict):
        return None
    return request, manifest, request.family(fingerprints)


_SEARCHES = FileCache(_search_of)
_RECORDS = FileCache(lambda path: RunFolder(path.parent).records(), kept=512)


def plan_source(plan: SearchPlan) -> list[str]:
    """Return where the searches of a plan come from."""
    request = plan.request
    seeds = ", ".join(map(str, plan.seeds))
    parts = [f"{len(plan.searches)} searches, seed{'s' * (len(plan.seeds) > 1)} {seeds}"]
    if plan.place.split is not None:
        parts.append(f"split {plan.place.split.label}")
    return parts + request_source(request, plan.synthetic) + _dates(plan)


def request_source(request: SearchRequest, synthetic: bool) -> list[str]:
    """Return how a search computes."""
    options = request.options
    count = "all" if options.images is None else f"{options.images:,}"
    cells = f"{options.cells_per_stage} cell{'s' * (options.cells_per_stage > 1)} per stage"
    weights = "fresh weights" if request.checkpoint is None else "inherited weights"
    return [
        request.method_label,
        f"{options.channels} channels, {cells}, {weights}",
        f"{count} {'made-up ' * synthetic}images ({request.images or 'the first real ones'})",
        f"batch size {options.batch_size}",
        "batch norm: batch",
        request.device,
    ]


def _dates(plan: SearchPlan) -> list[str]:
    """Return when the last of the searches that are done was done."""
    statuses = [search.status() for search in plan.searches]
    ends = [s.updated for s in statuses if s and s.updated and not s.state.active]
    if not ends:
        return []
    return [datetime.fromtimestamp(max(ends), UTC).strftime("%d %b %Y %H:%M UTC")]
