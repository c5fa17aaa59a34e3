"""Search algorithms: the contract, the registry, and one file for each algorithm."""
