"""What a commit asks CI for, and what CI does about it."""
