"""The kinds of gates there are: a file each, and a line each here (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mlgit.registry.policy.gates import (
    approvals,
    better,
    card,
    champion,
    command,
    data,
    evaluated,
    freeze,
    lineage,
    metric,
    reproduced,
    signed,
    slices,
    soak,
    stored,
    upstream,
)
from mlgit.registry.policy.kind import Kind

Gate = (
    slices.Settings
    | better.Settings
    | champion.Settings
    | data.Settings
    | evaluated.Settings
    | lineage.Settings
    | reproduced.Settings
    | card.Settings
    | stored.Settings
    | soak.Settings
    | freeze.Settings
    | signed.Settings
    | command.Settings
    | approvals.Settings
    | metric.Settings
)
"""One check, as the file writes it. Told apart by the first key of each, the first here before those that follow."""

_ALL: tuple[Kind[Any], ...] = (
    slices.KIND,
    better.KIND,
    champion.KIND,
    data.KIND,
    evaluated.KIND,
    lineage.KIND,
    reproduced.KIND,
    card.KIND,
    stored.KIND,
    soak.KIND,
    freeze.KIND,
    signed.KIND,
    command.KIND,
    approvals.KIND,
    metric.KIND,
    upstream.KIND,
)
KINDS: Mapping[type, Kind[Any]] = MappingProxyType({kind.settings: kind for kind in _ALL})
"""The settings of a gate → its kind."""
