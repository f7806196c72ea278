"""GitHub: what is asked of it, and what it answers."""
