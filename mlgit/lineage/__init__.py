"""Both ways through data, runs, models and stages: what something was made of, and what it led to."""
