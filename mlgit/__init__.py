"""mlgit."""
