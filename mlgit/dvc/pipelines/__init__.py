"""Pipelines of `dvc.yaml`, in DVC's own library's hands: what they would do, what they did, what they draw."""
