"""Any run back, with a verdict: what it takes, what of that is missing, the attempt, and how it compares."""
