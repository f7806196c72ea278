"""GitHub's runners as jobs of a queue: each does one job of a workflow and is gone; what died is taken away."""
