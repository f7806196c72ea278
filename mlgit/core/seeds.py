"""Which params are seeds, and which runs are one setting tried with several of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlgit.core.compare import flatten

_SEED = re.compile(r"(?i)seed|random_state")


def is_seed(name: str) -> bool:
    """Whether a param is called as seeds are: `seed`, `model.random_state`."""
    return bool(_SEED.search(name))


def setting(params: Mapping[str, Any]) -> dict[str, Any]:
    """*params* by dotted name, without those that are seeds: what is the same where only a seed differs."""
    return {name: value for name, value in flatten(params).items() if not is_seed(name)}


def told(params: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """The seeds of a run, as text that is equal for equal ones: those among its *params*, else those that its
    `run.yaml` is *about*; nothing where none is known.
    """
    seeds = {name: value for name, value in flatten(params).items() if is_seed(name) and value is not None}
    known = about.get("seeds")
    seeds = seeds or (dict(flatten(known)) if isinstance(known, Mapping) else {})
    return ", ".join(f"{name}={value!r}" for name, value in sorted(seeds.items()))
