"""The splits of a data folder, whatever they come from: finished runs and imported files."""

from dataclasses import dataclass
from pathlib import Path

from fewshot_core.errors import FewshotError
from fewshot_core.metrics import METRICS
from fewshot_core.space import SubSpace
from fewshot_core.splitting.imported import imported_names, open_imported
from fewshot_core.store.cache import Store

_PLAIN = "paper"


@dataclass(frozen=True)
class KnownSplit:
    """A split.

    Attributes:
        key: Its run, or "file-" and the name of an imported one.
        metric: What decided, with the variant where that is not the paper's.
        leaves: Its sub-spaces, in tree order.
    """

    key: str
    metric: str
    leaves: tuple[SubSpace, ...]


def known_splits(store: Store, data_dir: Path, dataset: str) -> list[KnownSplit]:
    """Return all splits of a data set, the latest run first and imported ones after them.

    An imported one that cannot be read is left out.
    """
    found = []
    by_label = {metric.label: metric.name for metric in METRICS}
    for row in store.splits(dataset).to_dict("records"):
        variant = "" if row["variant"] == _PLAIN else f" ({row['variant']})"
        leaves = tuple(store.split_tree(str(row["run_id"])).leaves)
        found.append(KnownSplit(str(row["run_id"]), f"{row['metric']}{variant}", leaves))
    for name in imported_names(data_dir):
        try:
            split = open_imported(name, data_dir)
        except FewshotError:
            continue
        if split.dataset == dataset:
            metric = by_label.get(split.name, split.name)
            found.append(KnownSplit(f"file-{name}", metric, split.leaves))
    return found
