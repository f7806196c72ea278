"""Charts as data: a table, what is drawn of it, and how. Whoever shows one draws it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from mlgit.core import values
from mlgit.tracking.media.shelf import Media, Shelf
from mlgit.tracking.media.table import Table

KINDS = {
    "wandb/area-under-curve/v0": "area",
    "wandb/bar/v0": "bar",
    "wandb/confusion_matrix/v1": "confusion_matrix",
    "wandb/histogram/v0": "histogram",
    "wandb/line/v0": "line",
    "wandb/lineseries/v0": "line_series",
    "wandb/scatter/v0": "scatter",
}
"""W&B's names of the charts that it brings along; any other name is a `custom` one."""


class Chart(Media):
    """A chart to log: *table*, the *spec* that names how it is drawn, and which column is which of its *fields*."""

    def __init__(
        self, table: Table, spec: str, fields: Mapping[str, Any], strings: Mapping[str, Any] | None = None, *,
        split_table: bool = False,
    ) -> None:  # fmt: skip
        if not isinstance(table, Table):
            raise TypeError(f"a chart is drawn of a Table, not of a {type(table).__name__}")
        self.table, self.spec = table, spec
        self.fields = {name: column for name, column in fields.items() if column is not None}
        self.strings, self.split_table = dict(strings or {}), split_table

    @property
    def kind(self) -> str:
        """What it is: `line`, `bar`, …, or `custom`."""
        return KINDS.get(self.spec, "custom")

    @property
    def title(self) -> str:
        """What stands above it."""
        return str(self.strings.get("title") or self.fields.get("title") or "")

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """Its table as a file; everything else is in the document."""
        table = self.table.store(shelf.named(f"{shelf.key}_table"))
        document: dict[str, Any] = {"kind": self.kind, "spec": self.spec, "title": self.title}
        document |= {"fields": self.fields, "strings": self.strings}
        document |= {"split_table": True} if self.split_table else {}
        return {"_type": "chart", **values.plain(document, where=shelf.key), "table": table}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The chart that was stored below *folder* as *document*."""
        table = Table.load(folder, document["table"])
        return cls(
            table, document["spec"], document.get("fields", {}), document.get("strings"),
            split_table=document.get("split_table", False),
        )  # fmt: skip
