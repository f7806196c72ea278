"""What a sweep's trials come to: the best, what drove the metric, and which points no other beats (pure)."""
