"""What a column of one file among several is called (pure)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def named(values: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any]:
    """The *values* of several files, under one name each."""
    names = of({path: set(row) for path, row in values.items()})
    return {names[path, name]: value for path, row in values.items() for name, value in row.items()}


def of(columns: Mapping[Path, set[str]]) -> dict[tuple[Path, str], str]:
    """What each column of each file is called: by itself, and behind its file's path where several have it."""
    often = Counter(name for names in columns.values() for name in names)
    above = Path(os.path.commonpath([path.parent for path in columns])) if columns else Path()
    found: dict[tuple[Path, str], str] = {}
    for path, names in columns.items():
        place = path.relative_to(above).with_suffix("").as_posix()
        for name in names:
            own = place if place.rpartition("/")[2] == name.rpartition("/")[2] else f"{place}/{name}"
            found[path, name] = name if often[name] == 1 else own
    return found
