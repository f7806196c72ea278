"""Records ⇄ files ⇄ commits: live folders while a run lasts, branches when it has ended."""
