"""A run while it is alive: what the Python door and `mlgit run` do between the first line and the branch."""
