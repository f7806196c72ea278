"""Where pull requests live: GitHub, or a folder. `base` says what mlgit asks of either."""
