"""The tables that a run logged, as the artifacts that W&B makes of them: `run-<id>-<key>`, of the type `run_table`.

They are made when somebody asks for one: a run that logs a thousand tables stores each once.
"""

from __future__ import annotations

import re
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from mlgit.artifacts import catalog, log
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held
from mlgit.core.history import Logged
from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.public import files
from mlgit.store import runs
from mlgit.tracking import media

_TYPE = "run_table"


def find(repo: Repo, known: Sequence[Run], text: str) -> Held | None:
    """The table that *text* names among those that the runs *known* logged; None where it names none.

    The first that a run logged by a key is `v0`, the next other one `v1`; `latest` is its last.
    """
    named = catalog.parse(text)
    for run in known:
        if named.name.startswith(f"run-{run.id}-") and named.project in (None, run.project):
            for key, logged in runs.objects(repo, run, full=True).items():
                if _called(run, key) == named.name and (tables := _tables(logged)):
                    return _held(repo, run, key, tables, named.which)
    return None


def _called(run: Run, key: str) -> str:
    """W&B's name for the artifact of the table *key*: what no name may hold goes, and a check sum comes."""
    name = f"run-{run.id}-{key}"
    if (safe := re.sub(r"[^a-zA-Z0-9_\-.]+", "", name)) == name:
        return name
    return f"{safe}-{urlsafe_b64encode(crc32(name.encode()).to_bytes(4)).rstrip(b'=').decode()}"


def _tables(logged: Sequence[Logged]) -> list[Logged]:
    """The tables among what was logged, each content once."""
    tables = [one for one in logged if isinstance(one.value, dict) and one.value.get("_type") == "table-file"]
    return list({one.value["sha256"]: one for one in reversed(tables)}.values())[::-1]


def _held(repo: Repo, run: Run, key: str, tables: Sequence[Logged], which: str) -> Held | None:
    names = {f"v{number}": number for number in range(len(tables))} | {"latest": len(tables) - 1}
    if (number := names.get(which)) is None:
        return None
    logged = tables[number]
    draft = Artifact(_called(run, key), _TYPE)
    with tempfile.TemporaryDirectory() as folder:
        for file in files.of_run(repo, run).values():
            if file.name.startswith("media/"):
                file.bring(Path(folder) / file.name)
        draft.add(media.load(Path(folder), logged.value), key)
        version = log.log_draft(repo, draft, folder=run.folder)
    aliases = ("latest",) if number == names["latest"] else ()
    return Held(
        version=version, collection=draft.name, number=number, aliases=aliases, run=run, created=logged.timestamp
    )  # fmt: skip
