"""A plan: one algorithm in all sub-spaces of a split, for several seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fewshot_core.search.request import SearchRequest
from fewshot_core.space import SubSpace


def plan(
    request: SearchRequest, sub_spaces: Iterable[SubSpace], seeds: Sequence[int]
) -> list[SearchRequest]:
    """Return a request for each sub-space and seed, otherwise like the given one.

    Each is a run of its own. The order is that of the sub-spaces, then of the seeds.
    """
    return [
        replace(request, rows=tuple(sub_space.rows), seed=seed)
        for sub_space in sub_spaces
        for seed in seeds
    ]
