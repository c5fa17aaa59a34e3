"""Growing a splitting tree with any metric (Section 3.2 of the paper)."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fewshot_core.errors import SplittingError
from fewshot_core.metrics import METRICS, OperationScores, ScoreCache, score_operations
from fewshot_core.space import SubSpace, edge_label
from fewshot_core.splitting.partition import TIE_TOLERANCE, Partition, partition, set_partitions
from fewshot_core.splitting.tree import Path, SplitNode, SplitTree, TreeOptions

if TYPE_CHECKING:
    from fewshot_core.images.batches import Batch
    from fewshot_core.nets import Supernet


@dataclass(frozen=True)
class Progress:
    """What a growing tree is doing.

    Attributes:
        path: The node whose operations are being scored.
        edge: The edge being scored.
        operation: The operation being scored.
        done: Operations scored so far, in the whole tree, counted for each batch.
        total: Operations to score in the whole tree and all batches, as far as is known now.
        tree: The nodes decided so far.
    """

    path: Path
    edge: int
    operation: int
    done: int
    total: int
    tree: SplitTree


def split(
    metric: str,
    supernet: Supernet,
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
) -> SplitTree:
    """Split the space into sub-spaces, level by level.

    Args:
        metric: The name of a metric, or ``random``: groups drawn at random, the baseline.
        supernet: The supernet of the full space.
        batch: Images and labels, or several batches; None for a metric without images.
        edges: The edge to split at each level; their number is the depth.
        groups: Into how many groups, at every level or for each level.
        variant: One of the metric's variants.
        batch_norm: ``"batch"`` or ``"running"``.
        seed: Random seed of the metric, the baseline ``random`` and the ``random`` policy.
        balanced: Whether group sizes may differ by at most one (GM-NAS).
        policy: How edges are chosen; see ``EDGE_POLICIES``. Other policies than ``fixed`` take
            from ``edges`` only the depth.
        image_size: Height and width of an image, for ``synflow`` without a batch.
        details: What else the tree should say of itself.
        progress: Called before each operation is scored.
        cache: Where scores are looked up and stored; see ``score_operations``.
        warm_up: Trains a sub-supernet in place before it is split further, such as a
            ``fewshot_core.search.training.WarmUp``; it is given weights of its own, copies of those
            of the sub-supernet that was split.

    Returns:
        A tree whose leaves cover all 15,625 architectures once: eight with the default options.

    Raises:
        SplittingError: If the options make no tree, or the supernet is not of the full space.
        UnknownNameError, MetricError: As ``score_operations``.
    """
    METRICS.get(metric).check_variant(variant)
    if supernet.sub_space != SubSpace.full():
        raise SplittingError("expected the supernet of the full space, got that of a sub-space")
    options = TreeOptions.create(edges, groups, balanced, policy)
    scoring = {"variant": variant, "batch_norm": batch_norm, "seed": seed}
    described = {**scoring, **_option_details(options), **(details or {})}
    scoring |= {"image_size": image_size, "cache": cache}
    growth = _Growth(metric, supernet, batch, options, scoring, described, progress, warm_up)
    return growth.run()


class _Growth:
    """A tree while it grows."""

    def __init__(
        self,
        metric: str,
        supernet: Supernet,
        batch: Batch | Sequence[Batch] | None,
        options: TreeOptions,
        scoring: Mapping[str, Any],
        details: Mapping[str, Any],
        progress: Callable[[Progress], None] | None,
        warm_up: Callable[[Supernet], None] | None,
    ) -> None:
        self.supernet = supernet
        self.warm_up = warm_up
        self.trained: dict[Path, Supernet] = {}
        self.batch = batch
        self.options = options
        self.scoring = scoring
        self.progress = progress
        counted = batch if METRICS.get(metric).needs_images else None
        self.batches = len(counted) if isinstance(counted, Sequence) else 1
        self.done = 0
        self.tree = SplitTree(metric, (), details)

    def run(self) -> SplitTree:
        for level in range(len(self.options.edges)):
            if level and self.warm_up is not None:
                self._train_all(self.warm_up)
            for path, sub_space in self.tree.open_paths():
                node = self._decide(path, sub_space)
                self.tree = SplitTree(self.tree.metric, (*self.tree.nodes, node), self.tree.details)
        return self.tree

    def _train_all(self, warm_up: Callable[[Supernet], None]) -> None:
        """Give each open sub-space a network of its own and train it."""
        parents, self.trained = self.trained, {}
        for path, sub_space in self.tree.open_paths():
            parent = parents.get(path[:-1], self.supernet)
            self.trained[path] = copy.deepcopy(parent.restrict(sub_space))
            warm_up(self.trained[path])

    def _decide(self, path: Path, sub_space: SubSpace) -> SplitNode:
        """Score the edges that compete for a node and split the one with the smallest cut."""
        start = time.perf_counter()
        groups = self.options.groups[len(path)]
        restricted = self.trained.get(path, self.supernet).restrict(sub_space)
        used = {node.edge for node in self.tree.nodes if node.path == path[: len(node.path)]}
        choices = []
        for edge in self.options.edges_to_score(path, sub_space, used, self.scoring["seed"]):
            scores = self._score(path, restricted, edge, groups)
            choices.append(
                (edge, scores, partition(scores.similarity, groups, self.options.balanced))
            )
        edge, scores, chosen = min(choices, key=lambda choice: _rank(choice[2]))
        rivals = [
            other for other, _, found in choices if other != edge and _same_cut(found, chosen)
        ]
        reason = scores.reason or _why_arbitrary(chosen, edge, rivals)
        seconds = time.perf_counter() - start
        return _node(path, edge, sub_space, scores, chosen, reason, seconds)

    def _score(self, path: Path, supernet: Supernet, edge: int, groups: int) -> OperationScores:
        count = len(supernet.sub_space.enabled[edge])
        if count < groups:
            raise SplittingError(
                f"edge {edge_label(edge)} has {count} operations left: expected at least {groups} "
                "to form that many groups"
            )
        report = partial(self._report, path, edge)
        if METRICS.get(self.tree.metric).baseline:
            for operation in supernet.sub_space.enabled[edge]:
                report(operation)
            seed, balanced = self.scoring["seed"], self.options.balanced
            return random_groups(supernet.sub_space, edge, groups, balanced, seed)
        return score_operations(
            self.tree.metric, supernet, edge, self.batch, on_operation=report, **self.scoring
        )

    def _report(self, path: Path, edge: int, operation: int) -> None:
        if self.progress is not None:
            total = max(self.options.scorings() * self.batches, self.done + 1)
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


def _rank(chosen: Partition) -> tuple[bool, float]:
    """Order partitions of several edges by their cut, those that say nothing last."""
    undefined = bool(np.isnan(chosen.cut))
    return undefined, 0.0 if undefined else chosen.cut


def _same_cut(found: Partition, chosen: Partition) -> bool:
    """Return whether another edge could as well have been split; false where a cut is undefined."""
    return found.cut - chosen.cut <= TIE_TOLERANCE * abs(chosen.cut)


def _why_arbitrary(chosen: Partition, edge: int, rivals: Sequence[int]) -> str | None:
    """Return why a partition was chosen without need, or None where there was no other."""
    if chosen.ties:
        return f"{len(chosen.ties) + 1} groupings have the same smallest cut"
    if rivals:
        names = ", ".join(edge_label(rival) for rival in sorted((edge, *rivals)))
        return f"the edges {names} have the same smallest cut"
    return None


def _node(
    path: Path,
    edge: int,
    sub_space: SubSpace,
    scores: OperationScores,
    chosen: Partition,
    reason: str | None,
    seconds: float,
) -> SplitNode:
    def named(groups: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
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
        seconds=seconds,
    )


def _option_details(options: TreeOptions) -> dict[str, Any]:
    return {
        "edges": list(options.edges),
        "groups": list(options.groups),
        "balanced": options.balanced,
        "policy": options.policy,
    }
