"""What DVC draws and is no series of steps, as objects of the run: pictures, tables, charts.

A plot is called by its path, as DVC calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlgit.tracking.media.shelf import Media

Rows = Sequence[Mapping[str, Any]]
PICTURES = frozenset((".gif", ".jpeg", ".jpg", ".png"))
_PAGE = ".svg"
"""A drawing that is kept as a page: the library that knows the others' sizes does not read it."""


def pictures(path: Path) -> Iterator[tuple[str, list[Media]]]:
    """(what its name ends with, the pictures) of the file or folder *path*: those of a folder are one gallery.

    Raises `ValueError` or `OSError` for one that cannot be read.
    """
    from mlgit.tracking.media.html import Html
    from mlgit.tracking.media.image import MOST_IN_GALLERY, Image

    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [one for one in files if one.suffix.lower() in PICTURES and one.is_file()]
    drawings = [one for one in files if one.suffix.lower() == _PAGE and one.is_file()]

    def caption(one: Path) -> str | None:
        return one.relative_to(path).as_posix() if path.is_dir() else None

    if found:
        yield "", [Image(one, caption=caption(one)) for one in found[: MOST_IN_GALLERY + 1]]
    if drawings:
        pages: list[Media] = [Html(one, caption=caption(one)) for one in drawings[:MOST_IN_GALLERY]]
        yield (_PAGE if found else ""), pages


def table(rows: Rows, how: Mapping[str, Any]) -> Media:
    """*rows* as the chart that DVC's template of that name would draw of them; as a table where it is another one."""
    from mlgit.tracking.media.table import Table

    columns = list(dict.fromkeys(name for row in rows for name in row))
    plain = Table(columns=columns, data=[[row.get(name) for name in columns] for row in rows], allow_mixed_types=True)
    x, y = how.get("x"), how.get("y")
    draw = _TEMPLATES.get(str(how.get("template") or "linear"))
    if draw is None or not {x, y} <= set(columns) or x is None or y is None:
        return plain
    return draw(plain, str(x), str(y), str(how.get("title") or ""))


def _line(of: Any, x: str, y: str, title: str) -> Media:
    from mlgit.tracking.media import plot

    return plot.line(of, x, y, title=title)


def _scatter(of: Any, x: str, y: str, title: str) -> Media:
    from mlgit.tracking.media import plot

    return plot.scatter(of, x, y, title=title)


def _confusion(of: Any, x: str, y: str, title: str) -> Media:
    from mlgit.tracking.media import plot

    actual, predicted = ([str(row[of.columns.index(name)]) for row in of.data] for name in (x, y))
    return plot.confusion_matrix(y_true=actual, preds=predicted, title=title)


_TEMPLATES: Mapping[str, Callable[[Any, str, str, str], Media]] = {
    "linear": _line, "simple": _line, "smooth": _line, "scatter": _scatter, "scatter_jitter": _scatter,
    "confusion": _confusion,
}  # fmt: skip
