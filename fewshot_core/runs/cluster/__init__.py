"""A grid of splits and searches on a cluster, from one file; see ``docs/cluster.md``."""
