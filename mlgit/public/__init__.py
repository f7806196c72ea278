"""What scripts ask of runs, those that have ended and those under way: W&B's public API, answered by the branches."""
