"""Figures of matplotlib as pictures; matplotlib itself is never imported."""

from __future__ import annotations

import io
import types
from typing import Any

from mlgit.tracking.notice import say_once


def figure_of(value: Any) -> Any:
    """The figure of matplotlib behind *value*: a figure, pyplot itself, axes, lines, a grid of seaborn. Else None."""
    if isinstance(value, types.ModuleType):
        return value.gcf()
    if callable(getattr(value, "savefig", None)) and hasattr(value, "axes"):
        return getattr(value, "figure", None) or value
    figure = getattr(value, "figure", None)
    return figure if callable(getattr(figure, "savefig", None)) else None


def drawn(value: Any) -> bytes:
    """A figure of matplotlib as the bytes of a PNG file; one on which nothing is drawn is blank, which is said once."""
    figure = figure_of(value)
    if figure is None:
        raise ValueError(f"a {type(value).__qualname__} is on no figure")
    if not figure.axes and not figure.texts and not figure.images:
        say_once("a figure that was logged is empty: log it before it is closed or shown (said once)")
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()
