"""The tables that a run logged, as the artifacts that W&B makes of them: `run-<id>-<key>`, of the type `run_table`.

They are made when somebody asks for one: a run that logs a thousand tables stores each once.
"""

from __future__ import annotations

import re
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from mlgit.artifacts import catalog, log
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held
from mlgit.core.history import Logged
from mlgit.core.run import Run
from mlgit.core.summary import is_object
from mlgit.git.repo import Repo
from mlgit.public import files
from mlgit.store import runs
from mlgit.tracking import media

_TYPES = {"table-file": "run_table", "incremental-table-file": "wandb-run-incremental-table"}
"""What W&B calls the artifacts of a table, by what its document says that it is."""


@dataclass(frozen=True, kw_only=True)
class _Table:
    """What a run logged by one key, as far as it is tables of one kind."""

    run: Run
    key: str
    kind: str
    contents: Sequence[Logged] = ()
    """Each once, as they came: `v0`, `v1`, …"""

    @property
    def name(self) -> str:
        """W&B's name for its artifact: what no name may hold goes, and a check sum comes."""
        if (safe := self.older_name) == self._whole_name:
            return safe
        return f"{safe}-{urlsafe_b64encode(crc32(self._whole_name.encode()).to_bytes(4)).rstrip(b'=').decode()}"

    @property
    def older_name(self) -> str:
        """The one without a check sum, by which scripts written for wandb before 0.19 ask for it."""
        return re.sub(r"[^a-zA-Z0-9_\-.]+", "", self._whole_name)

    @property
    def _whole_name(self) -> str:
        return f"run-{self.run.id}-{'incr-' if self.kind == 'incremental-table-file' else ''}{self.key}"

    def entry(self, logged: Logged) -> str:
        """What the table is called within its artifact; W&B numbers the increments of one that grows."""
        number = logged.value.get("increment_num")
        return self.key if number is None else f"{number}-{logged.timestamp * 1000:.0f}.{self.key}"


def kinds() -> tuple[str, ...]:
    """What a table's document says that it is."""
    return tuple(_TYPES)


def names(known: Iterable[Run]) -> dict[str, str]:
    """The names of the tables that the runs *known* logged last by a key → the types of their artifacts."""
    return {
        _Table(run=run, key=key, kind=value["_type"]).name: _TYPES[value["_type"]]
        for run in known
        for key, value in run.objects.items()
        if value["_type"] in _TYPES
    }


def versions(repo: Repo, known: Iterable[Run], name: str) -> list[Held]:
    """All versions of the table called *name* among those that the runs *known* logged, the first one first."""
    table = _called(repo, known, name)
    return _held(repo, table, range(len(table.contents))) if table else []


def find(repo: Repo, known: Iterable[Run], text: str) -> Held | None:
    """The table that *text* names among those that the runs *known* logged; None where it names none.

    The first that a run logged by a key is `v0`, the next other one `v1`; `latest` is its last.
    """
    named = catalog.parse(text)
    table = _called(repo, (run for run in known if named.project in (None, run.project)), named.name)
    if table is None:
        return None
    last = len(table.contents) - 1
    number = {"latest": last, **{f"v{number}": number for number in range(last + 1)}}.get(named.which)
    return None if number is None else _held(repo, table, [number])[0]


def _called(repo: Repo, known: Iterable[Run], name: str) -> _Table | None:
    for run in known:
        if name.startswith(f"run-{run.id}-"):
            tables = list(_tables(repo, run))
            by_name = {table.older_name: table for table in tables} | {table.name: table for table in tables}
            if name in by_name:
                return by_name[name]
    return None


def _tables(repo: Repo, run: Run) -> Iterator[_Table]:
    for key, logged in runs.objects(repo, run, full=True).items():
        for kind in _TYPES:
            tables = [one for one in logged if is_object(one.value) and one.value["_type"] == kind]
            once = list({one.value["sha256"]: one for one in reversed(tables)}.values())[::-1]
            if once:
                yield _Table(run=run, key=key, kind=kind, contents=once)


def _held(repo: Repo, table: _Table, numbers: Iterable[int]) -> list[Held]:
    with tempfile.TemporaryDirectory() as folder:
        for file in files.of_run(repo, table.run).values():
            if file.name.startswith("media/"):
                file.bring(Path(folder) / file.name)
        return [_made(repo, table, number, Path(folder)) for number in numbers]


def _made(repo: Repo, table: _Table, number: int, folder: Path) -> Held:
    """The version *number* of *table*, stored; *folder* holds the run's media."""
    logged = table.contents[number]
    draft = Artifact(table.name, _TYPES[table.kind])
    draft.add(media.load(folder, logged.value), table.entry(logged))
    version = log.log_draft(repo, draft, folder=table.run.folder)
    aliases = ("latest",) if logged is table.contents[-1] else ()
    return Held(
        version=version, collection=draft.name, number=number, aliases=aliases, project=table.run.project,
        folder=table.run.folder, run=table.run, created=logged.timestamp,
    )  # fmt: skip
