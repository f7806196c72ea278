"""Datasets and models by name: logged by a run, found again, brought back. DVC holds the bytes."""
