"""The tables of the cache, in one place."""

VERSION = 3
"""Raised with every change below; a cache of another version is built anew."""

STATEMENTS = (
    "CREATE TABLE version (number INTEGER)",
    f"INSERT INTO version VALUES ({VERSION})",
    """CREATE TABLE runs (
        run_id VARCHAR PRIMARY KEY, kind VARCHAR, dataset VARCHAR, created VARCHAR,
        finished DOUBLE, seconds DOUBLE, synthetic BOOLEAN, request VARCHAR, demo BOOLEAN)""",
    """CREATE TABLE splits (
        run_id VARCHAR PRIMARY KEY, metric VARCHAR, variant VARCHAR, batch_norm VARCHAR,
        degenerate_nodes INTEGER, details VARCHAR, tree VARCHAR)""",
    """CREATE TABLE searches (
        run_id VARCHAR PRIMARY KEY, algorithm VARCHAR, preset VARCHAR, sub_space VARCHAR,
        seed BIGINT, family VARCHAR, epochs INTEGER)""",
    """CREATE TABLE epochs (
        run_id VARCHAR, epoch INTEGER, train_loss DOUBLE, train_accuracy DOUBLE,
        valid_loss DOUBLE, valid_accuracy DOUBLE, architecture INTEGER, temperature DOUBLE,
        seconds DOUBLE, PRIMARY KEY (run_id, epoch))""",
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

RUN_TABLES = ("runs", "splits", "searches", "epochs", "nodes", "scores", "sub_spaces")
"""The tables with rows of a run, by ``run_id``."""
