"""Accuracy tables of NAS-Bench-201: a packaged one, and importers for others.

A table gives architectures their *benchmark accuracy*, validation or test, in percent. It is not
the accuracy that a supernet's search measures.
"""

from fewshot_core.bench.catalog import damaged_tables, list_tables, remove_table, resolve_table
from fewshot_core.bench.codes import FORMS
from fewshot_core.bench.importers import IMPORTERS, Importer
from fewshot_core.bench.importing import TablePreview, import_table, preview_table
from fewshot_core.bench.loading import load_accuracy, load_costs, load_seeds
from fewshot_core.bench.mapping import SCALES, ColumnMapping
from fewshot_core.bench.proposal import propose_mapping
from fewshot_core.bench.records import KINDS, PACKAGED_TABLE, TableInfo, TableSet

__all__ = [
    "FORMS",
    "IMPORTERS",
    "KINDS",
    "PACKAGED_TABLE",
    "SCALES",
    "ColumnMapping",
    "Importer",
    "TableInfo",
    "TablePreview",
    "TableSet",
    "damaged_tables",
    "import_table",
    "list_tables",
    "load_accuracy",
    "load_costs",
    "load_seeds",
    "preview_table",
    "propose_mapping",
    "remove_table",
    "resolve_table",
]
