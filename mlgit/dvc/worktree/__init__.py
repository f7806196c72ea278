"""The user's own files in DVC's hands: added, hashed, looked at, put into their place."""
