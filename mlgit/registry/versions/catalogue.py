"""All models at a glance: which there are, their versions, and what stages serve by the tags, without reading a tag.

A picture of git's tags (`index.picture`): only models of which a tag has moved are read and understood again, by the
same rules as a single one (`ledger`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from mlgit.core import waiting
from mlgit.core.artifact import is_hash
from mlgit.core.registered import Registered
from mlgit.git.looking import Moved
from mlgit.git.repo import Repo
from mlgit.index import picture
from mlgit.index.picture import Picture
from mlgit.index.rows import transaction
from mlgit.registry import ledger
from mlgit.registry.ledger import Ledger
from mlgit.registry.stages import ours
from mlgit.store import records
from mlgit.store import registry as store

VERSION = 2
_AT_ONCE = 500
"""Models whose tags are in memory at once."""
_EVERYTHING = ("SELECT * FROM models", "SELECT * FROM versions", "SELECT * FROM stages")
_CLEAR = tuple(f"DELETE FROM {table} WHERE model = ?" for table in ("models", "versions", "stages"))  # noqa: S608


@dataclass(frozen=True)
class Served:
    """What a stage serves by the tags."""

    version: str
    is_ours: bool
    """Whether the tag that says so was made by mlgit."""


@dataclass(frozen=True)
class Model:
    """A model by its tags."""

    name: str
    versions: Sequence[Registered]
    """Those that stand, oldest version first; which stages serve them, is not said."""
    stages: Mapping[str, Served]


def newest(repo: Repo, *, skip: int = 0, limit: int | None = None) -> tuple[int, list[str]]:
    """(how many models have versions, the names of *limit* of them after *skip*, the one of the newest tag first)."""

    def answer(connection: sqlite3.Connection) -> tuple[int, list[str]]:
        (count,) = connection.execute("SELECT count(*) FROM models WHERE standing").fetchone()
        question = "SELECT model FROM models WHERE standing ORDER BY moved DESC, model LIMIT ? OFFSET ?"
        return count, [model for (model,) in connection.execute(question, (-1 if limit is None else limit, skip))]

    return PICTURE.ask(repo, answer)


def moved(repo: Repo, since: float) -> list[str]:
    """The models of which a tag is of the moment *since*, in seconds since the epoch, or of a later one."""
    question = "SELECT model FROM models WHERE moved >= ? ORDER BY model"
    return PICTURE.ask(repo, lambda connection: [model for (model,) in connection.execute(question, (since,))])


def names(repo: Repo) -> list[str]:
    """Every model that has a tag, in order of name."""
    question = "SELECT model FROM models ORDER BY model"
    return PICTURE.ask(repo, lambda connection: [model for (model,) in connection.execute(question)])


def since(repo: Repo, count: int) -> float | None:
    """When the last tag of the *count*-th of the models was made, of which the last moved first; None: there are fewer.

    No tag of the *count* newest is older.
    """
    question = "SELECT moved FROM models ORDER BY moved DESC LIMIT 1 OFFSET ?"
    row = PICTURE.ask(repo, lambda connection: connection.execute(question, (count - 1,)).fetchone())
    return row[0] if row else None


def tags(repo: Repo, models: Collection[str]) -> list[store.Tag]:
    """The annotated tags of *models*, in order of name: as `store.tags`, without a look at the others."""

    def answer(connection: sqlite3.Connection) -> dict[str, str]:
        question = "SELECT ref, oid FROM tags WHERE model = ?"
        return {ref: oid for model in models for ref, oid in connection.execute(question, (model,))}

    listed = dict(sorted(PICTURE.ask(repo, answer).items()))
    with repo.reader() as reader:
        return [tag for _, tag in store.tags_at(reader, listed) if tag]


def every(repo: Repo, model: str | None = None) -> list[Model]:
    """All models, in order of name; or *model* alone, if there is one."""

    def answer(connection: sqlite3.Connection) -> list[Model]:
        served = _served(connection, model)
        rows = connection.execute(
            'SELECT model, version, "commit", made, who, run, artifact, content, metrics FROM versions '
            "WHERE model BETWEEN ? AND ? ORDER BY model, place",
            _between(model),
        )
        versions = {
            model: [
                Registered(
                    model=model, version=version, commit=commit, when=made, who=who.decode(errors="surrogateescape"),
                    run=run, artifact=artifact, content=content, metrics=_Later(text),
                ) for _, version, commit, made, who, run, artifact, content, text in some
            ]
            for model, some in groupby(rows, lambda row: str(row[0]))
        }  # fmt: skip
        names = connection.execute(
            "SELECT model FROM models WHERE model BETWEEN ? AND ? ORDER BY model", _between(model)
        )
        return [Model(model, versions.get(model, ()), served.get(model, {})) for (model,) in names]

    with records.no_collection():
        return PICTURE.ask(repo, answer)


def _between(model: str | None) -> tuple[str, str]:
    """The first and the last of the names that are meant: *model*, or (None) every one."""
    return ("", "\U0010ffff") if model is None else (model, model)


def stages(repo: Repo, model: str | None = None) -> dict[str, dict[str, Served]]:
    """Model → stage → what it serves, by the tags; of the models (of *model*) of which a stage serves something."""
    return PICTURE.ask(repo, lambda connection: _served(connection, model))


def _served(connection: sqlite3.Connection, model: str | None) -> dict[str, dict[str, Served]]:
    rows = connection.execute(
        "SELECT model, stage, version, ours FROM stages WHERE model BETWEEN ? AND ? ORDER BY model, stage",
        _between(model),
    )
    return {
        model: {stage: Served(version, bool(is_ours)) for _, stage, version, is_ours in some}
        for model, some in groupby(rows, lambda row: str(row[0]))
    }


def check(repo: Repo) -> list[str]:
    """What it says otherwise than one that is made anew, a line a model: nothing, unless its file was damaged."""
    return picture.differences(PICTURE.ask(repo, _told), PICTURE.answer(repo, None, _told))


def _told(connection: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All that it says, by model."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for question in _EVERYTHING:
        for model, *row in connection.execute(question):
            found.setdefault(model, []).append(tuple(row))
    return found


class _Later(Mapping[str, Any]):
    """Metrics that are read once they are asked for."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    @cached_property
    def _metrics(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = records.told(self._text)
        return found

    def __getitem__(self, key: str) -> Any:
        return self._metrics[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)


def _apply(repo: Repo, connection: sqlite3.Connection, moved: Moved) -> None:
    touched = {store.model_of(ref) for ref in (*moved.to, *moved.gone)} - {None}
    with transaction(connection), repo.reader() as reader, records.no_collection():
        connection.execute("DELETE FROM looks")
        connection.executemany("DELETE FROM tags WHERE ref = ?", ((ref,) for ref in moved.gone))
        connection.executemany(
            "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)",
            ((ref, oid, store.model_of(ref)) for ref, oid in moved.to.items()),
        )
        waiting_for, is_whole = iter(sorted(filter(None, touched))), True
        with waiting.watched("reading models", len(touched)) as tell:
            while some := list(islice(waiting_for, _AT_ONCE)):
                listed = {
                    ref: oid
                    for model in some
                    for ref, oid in connection.execute("SELECT ref, oid FROM tags WHERE model = ?", (model,))
                }
                found = dict(store.tags_at(reader, listed))
                is_whole &= len(found) == len(listed)
                known = ledger.read(filter(None, found.values()))
                for clear in _CLEAR:
                    connection.executemany(clear, ((model,) for model in some))
                for one in known.values():
                    _take(connection, one)
                tell(len(some), "reading models")
        if is_whole:  # else an object was not at hand: it is asked for again
            picture.settled(connection, moved.look)


def _take(connection: sqlite3.Connection, known: Ledger) -> None:
    made_here = ours(known)
    connection.execute(
        "INSERT INTO models VALUES (?, ?, ?)", (known.model, known.history[-1].tag.when, len(known.versions))
    )
    connection.executemany(
        "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (known.model, place, version, tag.commit, tag.when, tag.who.encode(errors="surrogateescape"),
             *_brief(store.told(tag.message)))
            for place, (version, tag) in enumerate(known.versions.items())
        ),
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO stages VALUES (?, ?, ?, ?)",
        ((known.model, stage, version, stage in made_here) for stage, version in known.stages.items()),
    )


def _brief(told: Mapping[str, Any]) -> tuple[str, str, str, bytes]:
    """Run, artifact, content and metrics of a record that nobody has checked."""
    content, metrics = _text(told, "hash"), told.get("metrics")
    return (
        _text(told, "run"), _text(told, "artifact"), content if is_hash(content) else "",
        records.encode(metrics if isinstance(metrics, dict) else {}),
    )  # fmt: skip


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


PICTURE = Picture(
    name="registry", version=VERSION, schema=Path(__file__).with_suffix(".sql"),
    moved=picture.of_refs(("refs/tags/",), "SELECT ref, oid FROM tags"), apply=_apply,
)  # fmt: skip
