"""Growing a splitting tree with any metric (Section 3.2 of the paper)."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fewshot_core.errors import SplittingError
from fewshot_core.metrics import METRICS, OperationScores, ScoreCache, score_operations
from fewshot_core.space import NAS_BENCH_201, SearchSpace, SubSpace, get_space
from fewshot_core.splitting.partition import (
    TIE_TOLERANCE,
    Groups,
    Partition,
    partition,
    set_partitions,
)
from fewshot_core.splitting.tree import Path, SplitNode, SplitTree, TreeOptions

if TYPE_CHECKING:
    from fewshot_core.images.sources import Batch
    from fewshot_core.nets import Supernet


@dataclass(frozen=True)
class Progress:
    """What a growing tree is doing: the node, edge and operation being scored.

    ``done`` operations of a ``total`` are scored, in the whole tree and counted for each batch.
    """

    path: Path
    edge: int
    operation: int
    done: int
    total: int
    tree: SplitTree


def split(
    metric: str,
    supernet: Supernet | None,
    batch: Batch | Sequence[Batch] | None,
    edges: Sequence[int] = (0, 1, 2),
    groups: int | Sequence[int] = 2,
    *,
    variant: str = "paper",
    batch_norm: str = "batch",
    seed: int = 0,
    balanced: bool = False,
    policy: str = "fixed",
    image_size: int = 32,
    details: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    cache: ScoreCache | None = None,
    warm_up: Callable[[Supernet], None] | None = None,
    space: SearchSpace | str = NAS_BENCH_201,
) -> SplitTree:
    """Split the space into sub-spaces, level by level.

    Args:
        metric: The name of a metric, or ``random``: groups drawn at random, the baseline.
        supernet: That of the full space; ``random`` needs none, and splits any ``space``.
        batch, variant, batch_norm, image_size, cache: See ``score_operations``.
        edges: The edge to split at each level; their number is the depth.
        groups: Into how many groups, at every level or for each level.
        seed: Random seed of the metric, the baseline ``random`` and the ``random`` policy.
        balanced: Whether group sizes may differ by at most one (GM-NAS).
        policy: How edges are chosen; see ``EDGE_POLICIES``. Other policies than ``fixed`` take
            from ``edges`` only the depth.
        progress: Called before each operation is scored.
        warm_up: Trains a sub-supernet in place before it is split further, such as a
            ``fewshot_core.search.training.WarmUp``; it is given its own weights, copies of those
            of the sub-supernet that was split.

    Returns:
        A tree whose leaves cover all architectures once: eight with the default options.

    Raises:
        SplittingError: If the options make no tree, or the supernet is not of the full space, or
            missing.
        UnknownNameError, MetricError: As ``score_operations``.
    """
    info = METRICS.get(metric)
    info.check_variant(variant)
    found = get_space(space) if supernet is None else supernet.sub_space.space
    if supernet is None and (warm_up is not None or not info.baseline):
        raise SplittingError(f"expected a supernet of {found.label} for {metric}, got none")
    if supernet is not None and supernet.sub_space != SubSpace.full(found):
        raise SplittingError("expected the supernet of the full space, got that of a sub-space")
    options = TreeOptions.create(edges, groups, balanced, policy, space=found)
    scoring = {"variant": variant, "batch_norm": batch_norm, "seed": seed}
    described = {
        **scoring,
        "edges": list(options.edges),
        "groups": list(options.groups),
        "balanced": balanced,
        "policy": policy,
        **(details or {}),
    }
    scoring |= {"image_size": image_size, "cache": cache}
    tree = SplitTree(metric, (), described, found)
    return _Growth(tree, supernet, batch, options, scoring, progress, warm_up).run()


@dataclass
class _Growth:
    """A tree while it grows; ``networks`` are the warmed-up sub-supernets of its open paths."""

    tree: SplitTree
    supernet: Supernet | None
    batch: Batch | Sequence[Batch] | None
    options: TreeOptions
    scoring: Mapping[str, Any]
    progress: Callable[[Progress], None] | None
    warm_up: Callable[[Supernet], None] | None
    networks: dict[Path, Supernet] = field(default_factory=dict)
    done: int = 0

    def run(self) -> SplitTree:
        for level in range(len(self.options.edges)):
            if level and self.warm_up is not None:
                self._train_all(self.warm_up)
            for path, sub_space in self.tree.open_paths():
                node = self._decide(path, sub_space)
                self.tree = replace(self.tree, nodes=(*self.tree.nodes, node))
        return self.tree

    def _train_all(self, warm_up: Callable[[Supernet], None]) -> None:
        """Give each open sub-space its own network and train it."""
        parents, self.networks = self.networks, {}
        for path, sub_space in self.tree.open_paths():
            parent = parents.get(path[:-1], self.supernet)
            if parent is not None:
                self.networks[path] = copy.deepcopy(parent.restrict(sub_space))
                warm_up(self.networks[path])

    def _decide(self, path: Path, sub_space: SubSpace) -> SplitNode:
        """Score the edges that compete for a node and split the one with the smallest cut."""
        start = time.perf_counter()
        groups = self.options.groups[len(path)]
        network = self.networks.get(path, self.supernet)
        restricted = None if network is None else network.restrict(sub_space)
        used = {node.edge for node in self.tree.nodes if node.path == path[: len(node.path)]}
        found: dict[int, tuple[OperationScores, Partition]] = {}
        for edge in self.options.edges_to_score(path, sub_space, used, self.scoring["seed"]):
            scores = self._score(path, sub_space, restricted, edge, groups)
            found[edge] = scores, partition(scores.similarity, groups, self.options.balanced)
        cuts = {edge: chosen.cut for edge, (_, chosen) in found.items()}
        edge = min(cuts, key=lambda edge: (np.isnan(cuts[edge]), cuts[edge]))  # undefined ones last
        scores, chosen = found[edge]
        reach = TIE_TOLERANCE * abs(chosen.cut)
        ties = [one for one, cut in cuts.items() if one == edge or cut - chosen.cut <= reach]
        reason = scores.reason or _why_arbitrary(chosen, ties, sub_space.space)

        def named(groups: Groups) -> Groups:
            return tuple(tuple(scores.operations[item] for item in group) for group in groups)

        return SplitNode(
            path=path,
            edge=edge,
            sub_space=sub_space,
            operations=scores.operations,
            values=scores.values,
            similarity=tuple(tuple(float(value) for value in row) for row in scores.similarity),
            groups=named(chosen.groups),
            cut=chosen.cut,
            ties=tuple(named(groups) for groups in chosen.ties),
            degenerate=reason is not None,
            reason=reason,
            seconds=time.perf_counter() - start,
        )

    def _score(
        self, path: Path, sub_space: SubSpace, supernet: Supernet | None, edge: int, groups: int
    ) -> OperationScores:
        operations = sub_space.enabled[edge]
        if len(operations) < groups:
            raise SplittingError(
                f"{sub_space.space.decision_label(edge)} has {len(operations)} operations "
                f"left: expected at least {groups} to form that many groups"
            )
        report = partial(self._report, path, edge)
        if supernet is None or METRICS.get(self.tree.metric).baseline:
            for operation in operations:
                report(operation)
            seed, balanced = self.scoring["seed"], self.options.balanced
            return random_groups(sub_space, edge, groups, balanced, seed)
        return score_operations(
            self.tree.metric, supernet, edge, self.batch, on_operation=report, **self.scoring
        )

    def _report(self, path: Path, edge: int, operation: int) -> None:
        if self.progress is not None:
            counted = self.batch if METRICS.get(self.tree.metric).needs_images else None
            batches = len(counted) if isinstance(counted, Sequence) else 1
            total = max(self.options.scorings(self.tree.space) * batches, self.done + 1)
            self.progress(Progress(path, edge, operation, self.done, total, self.tree))
        self.done += 1


def random_groups(
    sub_space: SubSpace, edge: int, groups: int = 2, balanced: bool = False, seed: int = 0
) -> OperationScores:
    """Group the operations of an edge at random: the baseline of Section 4.1 of the paper.

    Each grouping has the same probability. The similarity is 1 inside the groups and 0 between
    them, so that ``partition`` finds these groups and no others. They depend on the seed, the edge
    and the sub-space.
    """
    operations = sub_space.enabled[edge]
    text = f"{seed}/{edge}/{'/'.join(sub_space.rows)}"
    node_seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    groupings = set_partitions(len(operations), groups, balanced)
    chosen = np.random.default_rng(node_seed).integers(len(groupings))
    similarity = np.zeros((len(operations), len(operations)))
    for group in groupings[int(chosen)]:
        similarity[np.ix_(group, group)] = 1.0
    return OperationScores(operations, (None,) * len(operations), similarity, False, None)


def _why_arbitrary(chosen: Partition, edges: Sequence[int], space: SearchSpace) -> str | None:
    """Describe the ties of a partition, or of the edges, or None."""
    if chosen.ties:
        return f"{len(chosen.ties) + 1} groupings have the same smallest cut"
    if len(edges) > 1:
        names = ", ".join(space.decisions[edge].name for edge in sorted(edges))
        return f"the {space.noun}s {names} have the same smallest cut"
    return None
