"""The two ways to normalise features, known to pages that never load PyTorch."""

BATCH_NORM_MODES = {
    "batch": "statistics of the batch",
    "running": "stored statistics; on an untrained network these are the identity",
}
"""The modes of batch norm, with what they mean."""
