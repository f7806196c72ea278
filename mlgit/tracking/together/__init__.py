"""Processes that share a run, or train one model side by side."""
