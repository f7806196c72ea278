"""A run with all that other programs want to hear of it (pure): who, how, of what code, what it read and made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlgit.core.artifact import is_hash
from mlgit.core.run import EMPTY, Run


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A content as a run tells of it."""

    content: str
    """DVC's hash of it."""
    name: str
    """The artifact's, or the path at which DVC held it."""
    label: str
    """`digits:v2`; the path, of what is no artifact."""
    type: str
    size: int | None = None
    """Bytes, where they are known."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.content.endswith(".dir")


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One run."""

    run: Run
    author: str = ""
    command: str = ""
    remote: str = ""
    """Where its repository is kept, without credentials."""
    labels: Mapping[str, str]
    """Content → `digits:v2`, where that is known."""
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: EMPTY)
    """Content → the columns of the table that it is, name → type as `artifacts.shapes` has it."""

    @property
    def read(self) -> list[Thing]:
        """What it used, and what DVC held when it ran; each content once."""
        found = {one.hash: self._thing(one.hash, one.name, one.type, one.size) for one in self.run.used}
        for path, content in self.run.data.items():
            if is_hash(content):
                found.setdefault(content, Thing(content=content, name=path, label=path, type="data"))
        return list(found.values())

    @property
    def made(self) -> list[Thing]:
        """What it logged."""
        return list({one.hash: self._thing(one.hash, one.name, one.type, one.size) for one in self.run.logged}.values())

    def _thing(self, content: str, name: str, type: str, size: int) -> Thing:
        label = self.labels.get(content, f"{name}:{content[:6]}")
        return Thing(content=content, name=name, label=label, type=type, size=size)

    def things(self) -> Iterator[Thing]:
        """All of them."""
        yield from self.read
        yield from self.made
