"""Pages of HTML."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mlgit.core import values
from mlgit.tracking.media.shelf import BatchableMedia, Shelf, below, captioned, read_all, source_path

_HEAD = (
    '<base target="_blank"><meta charset="utf-8">'
    "<style>body{font-family:system-ui,sans-serif;line-height:1.4;margin:1rem}table{border-collapse:collapse}</style>"
)


class Html(BatchableMedia):
    """A page, or a piece of one: HTML as text, an open file, or the path of an `.html` file.

    With *inject* links open elsewhere and plain text gets a readable face; nothing is fetched from anywhere. With
    *data_is_not_path* a text is never taken for a path; else one that ends in `.html` and names no file is kept as it
    is. Raises `TypeError` for other values, `FileNotFoundError` for a `Path` that is no file.
    """

    def __init__(
        self, data: Any, inject: bool = True, data_is_not_path: bool = False, caption: str | None = None
    ) -> None:
        self.caption = caption
        if isinstance(data, os.PathLike):
            self.html = source_path(data, "Html").read_text("utf-8", "replace")
        elif isinstance(data, str):
            self.html = data if data_is_not_path else _of_file(data)
        elif callable(getattr(data, "read", None)):
            self.html = read_all(data).decode("utf-8", "replace")
        else:
            raise TypeError(f"Html: a text, a path or an open file is asked for, not a {type(data).__name__}")
        if inject:
            self.html = with_head(self.html)

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The page as a file."""
        put = shelf.put("html", values.text(self.html).encode(), "html")
        return {"_type": "html-file", **put, **captioned(self.caption)}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The page that was stored below *folder* as *document*."""
        return cls(below(folder, document["path"]), inject=False, caption=document.get("caption"))

    @classmethod
    def gallery(cls, _items: Sequence[Any], documents: list[dict[str, Any]], /) -> dict[str, Any]:
        """Several pages under one name, in W&B's form."""
        return {"_type": "html", "count": len(documents), "html": documents}


def _of_file(text: str) -> str:
    """What the file holds that *text* names; *text* itself where it names none."""
    if text.endswith(".html") and len(text) < 4096 and "\0" not in text and Path(text).is_file():
        return Path(text).read_text("utf-8", "replace")
    return text


def with_head(page: str) -> str:
    """*page* with our own beginning in its head, which is made where there is none."""
    for pattern, head in ((r"<head(\s[^>]*)?>", _HEAD), (r"<html(\s[^>]*)?>", f"<head>{_HEAD}</head>")):
        if hit := re.search(pattern, page):
            return page[: hit.end()] + head + page[hit.end() :]
    return _HEAD + page
