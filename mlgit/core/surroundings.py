"""What was around two runs: what their `run.yaml` say otherwise of it, as far as it may change what a training does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlgit.core.compare import Change, changes

_OF_MACHINE = re.compile(r"SLURM_.*|GITHUB_.*|NVIDIA_VISIBLE_DEVICES|(LOCAL_)?RANK|WORLD_SIZE")
"""Recorded variables that say where it ran, not how."""
_NO_MATTER = ("packages.mlgit", "system.memory_gb", "system.cores")
PARTS = (
    "image",
    "python",
    "packages",
    "sources",
    "seeds",
    "gpu",
    "libraries",
    "runtime",
    "environment",
    "system",
    "lock",
)
"""The parts of `run.yaml` that may change what a training does."""


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """What *before* and *after* say otherwise, part by part."""
    for part in PARTS:
        mine, theirs = ({part: tree[part]} if part in tree else {} for tree in (before, after))
        for change in changes(mine, theirs):
            if change.key not in _NO_MATTER and not is_of_machine(change.key.removeprefix("environment.")):
                yield change


def is_of_machine(name: str) -> bool:
    """Whether the variable *name* says where a run was, and not how it ran: it is another one each time."""
    return bool(_OF_MACHINE.fullmatch(name))


def gpus(about: Mapping[str, Any]) -> list[str]:
    """The GPUs that a run could use, by their models, as its `run.yaml` is *about* them."""
    cards = about.get("gpu")
    models = cards.get("models") if isinstance(cards, Mapping) else None
    known = [str(model) for model in models] if isinstance(models, list) else []
    variables = about.get("environment")
    chosen = variables.get("CUDA_VISIBLE_DEVICES") if isinstance(variables, Mapping) else None
    if chosen is None:
        return known
    wanted = [each.strip() for each in str(chosen).split(",")]
    some = wanted[: next((place for place, each in enumerate(wanted) if each in ("", "-1")), len(wanted))]
    if not known:
        return []
    return [known[int(each)] if each.isdecimal() and int(each) < len(known) else known[0] for each in some]
