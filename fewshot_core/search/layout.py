"""The files of a search or training in its folder."""

RECORDS = "epochs.jsonl"
"""One record a line, appended and synced as an epoch ends."""

TABLE = "epochs.parquet"
"""The same records as a table, once all epochs are done."""

CHECKPOINT = "checkpoint.pt"
"""The state after the last epoch done; also a checkpoint of the network."""

DAMAGED = "checkpoint.damaged.pt"
"""A checkpoint that could not be used and was set aside."""
