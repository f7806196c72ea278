"""A sweep, and the params of one of its trials."""

from mlgit.sweeps import file as files

FILE = files.read(
    """
method: random
metric: {name: acc, goal: maximize}
program: train.py
parameters:
  lr: {min: 0.0, max: 1.0}
  model: {parameters: {depth: {min: 1, max: 9}}}
  fast: {values: [true, false]}
""",
    source="sweep.yaml",
)
PARAMS = {"lr": 1e-05, "model.depth": 3, "fast": True}
