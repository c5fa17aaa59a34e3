"""The DuckDB cache; the only place that knows SQL."""

from fewshot_core.store.cache import Store
from fewshot_core.store.care import Rebuilt, Verified, rebuild, verify
from fewshot_core.store.known_splits import KnownSplit, known_splits

__all__ = ["KnownSplit", "Rebuilt", "Store", "Verified", "known_splits", "rebuild", "verify"]
