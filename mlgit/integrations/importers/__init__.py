"""Runs of other tools become runs of ours. Each module reads one tool's files; `keep` makes the branches."""
