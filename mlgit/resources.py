"""Where `templates/`, `schemas/` and `actions/` lie: inside the package in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def templates() -> Path:
    """The folder of templates."""
    return _find("templates")


def schemas() -> Path:
    """The folder of JSON schemas."""
    return _find("schemas")


def actions() -> Path:
    """The folder of GitHub's composite actions."""
    return _find("actions")


def _find(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
