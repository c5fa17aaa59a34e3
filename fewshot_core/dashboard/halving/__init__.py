"""The Halving page: replaying a selection among sub-supernets."""
