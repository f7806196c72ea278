"""`mlgit run`: a program of any language as a run."""
