"""The DuckDB cache of run folders and accuracy tables; the only package that knows SQL."""

from fewshot_core.store.cache import Store

__all__ = ["Store"]
