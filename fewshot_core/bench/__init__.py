"""Accuracy tables of NAS-Bench-201: a packaged one, and importers for others.

A table gives architectures their *benchmark accuracy*, validation or test, in percent. It is not
the accuracy that a supernet's search measures.
"""

from fewshot_core.bench.catalog import (
    damaged_tables,
    list_tables,
    load_accuracy,
    load_costs,
    load_seeds,
    remove_table,
    resolve_table,
)
from fewshot_core.bench.csv_importer import propose_mapping
from fewshot_core.bench.importing import (
    IMPORTERS,
    Importer,
    TablePreview,
    import_table,
    preview_table,
)
from fewshot_core.bench.table import (
    FORMS,
    KINDS,
    PACKAGED_TABLE,
    SCALES,
    ColumnMapping,
    TableInfo,
    TableSet,
)

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
