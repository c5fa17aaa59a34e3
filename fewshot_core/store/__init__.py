"""The DuckDB cache; the only place that knows SQL."""

from fewshot_core.store.cache import Store
from fewshot_core.store.care import Rebuilt, Verified, rebuild, verify

__all__ = ["Rebuilt", "Store", "Verified", "rebuild", "verify"]
