"""Accuracy tables of search spaces: a packaged one of NAS-Bench-201, and importers for others.

A table gives architectures their *benchmark accuracy*, validation or test, in percent. It is not
the accuracy that a supernet's search measures.
"""

from fewshot_core.bench.catalog import (
    columns_csv,
    damaged_tables,
    list_columns,
    list_tables,
    load_accuracy,
    load_column,
    load_parameters,
    load_seeds,
    load_values,
    remove_table,
    resolve_table,
)
from fewshot_core.bench.csv_importer import find_architecture
from fewshot_core.bench.importing import (
    IMPORTERS,
    Importer,
    import_space,
    import_table,
    preview_table,
    store_estimate,
)
from fewshot_core.bench.published import USUAL_EPOCHS
from fewshot_core.bench.table import (
    FORMS,
    PACKAGED_TABLE,
    ROLES,
    SCALES,
    ColumnMapping,
    TableColumn,
    TableInfo,
    TablePreview,
    TableSet,
)
from fewshot_core.space import KINDS

__all__ = [
    "FORMS",
    "IMPORTERS",
    "KINDS",
    "PACKAGED_TABLE",
    "ROLES",
    "SCALES",
    "USUAL_EPOCHS",
    "ColumnMapping",
    "Importer",
    "TableColumn",
    "TableInfo",
    "TablePreview",
    "TableSet",
    "columns_csv",
    "damaged_tables",
    "find_architecture",
    "import_space",
    "import_table",
    "list_columns",
    "list_tables",
    "load_accuracy",
    "load_column",
    "load_parameters",
    "load_seeds",
    "load_values",
    "preview_table",
    "remove_table",
    "resolve_table",
    "store_estimate",
]
