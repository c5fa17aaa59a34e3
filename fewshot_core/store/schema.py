"""The tables of the cache, in one place."""

VERSION = 1
"""Raised with every change below; a cache of another version is built anew."""

STATEMENTS = (
    "CREATE TABLE version (number INTEGER)",
    f"INSERT INTO version VALUES ({VERSION})",
    """CREATE TABLE runs (
        run_id VARCHAR PRIMARY KEY, kind VARCHAR, dataset VARCHAR, metric VARCHAR,
        variant VARCHAR, batch_norm VARCHAR, created VARCHAR, finished DOUBLE, seconds DOUBLE,
        degenerate_nodes INTEGER, request VARCHAR, details VARCHAR, tree VARCHAR)""",
    """CREATE TABLE nodes (
        run_id VARCHAR, path VARCHAR, edge INTEGER, groups VARCHAR, cut DOUBLE,
        degenerate BOOLEAN, reason VARCHAR, seconds DOUBLE)""",
    """CREATE TABLE scores (
        run_id VARCHAR, path VARCHAR, operation INTEGER, value DOUBLE)""",
    """CREATE TABLE sub_spaces (
        run_id VARCHAR, number INTEGER, rows VARCHAR, size INTEGER)""",
    """CREATE TABLE tables (
        name VARCHAR PRIMARY KEY, fingerprint VARCHAR, created VARCHAR)""",
    """CREATE TABLE accuracy (
        table_name VARCHAR, dataset VARCHAR, kind VARCHAR, architecture BIGINT,
        accuracy_mean DOUBLE, accuracy_std DOUBLE, seeds BIGINT)""",
)

RUN_TABLES = ("runs", "nodes", "scores", "sub_spaces")
"""The tables with rows of a run, by ``run_id``."""
