"""Versions of models: what becomes one, what it is called besides, and which there are."""
