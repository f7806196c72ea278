"""What there is to say of each node of a lineage: read from git for those that are shown, and only for them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlgit.core import escape, figures
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.compare import flatten, is_number
from mlgit.core.registered import Registered
from mlgit.core.run import Run
from mlgit.dvc.caches import databases
from mlgit.errors import MlgitError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo, split_commit
from mlgit.index.now import Now
from mlgit.lineage.graph import Found, Key, Kind, Node
from mlgit.lineage.happening import Happening
from mlgit.lineage.sources import Sources
from mlgit.store import runs as stored

_COMMANDS = 30
"""Of so many runs it is read how they were started: it takes YAML."""
_PULL = "mlgit pull"
_HIDDEN = "it is hidden; mlgit restore"


def described(repo: Repo, now: Now, sources: Sources, found: Found) -> dict[Key, Node]:
    """The nodes of what was *found*."""
    keys = found.keys
    makers = {edge.target: edge.source for edge in found.edges if edge.what == "made"}
    readers = {edge.source: edge.target for edge in found.edges if edge.what == "read"}
    rows = {key: row for key in keys if (row := _row(sources, makers.get(key, key), readers.get(key))) is not None}
    runs = _read(now, rows)
    with repo.reader() as reader:
        shown = [run for key, run in runs.items() if key.kind is Kind.RUN]
        about = {run.id: _started(reader, run, deep=place < _COMMANDS) for place, run in enumerate(shown)}
    here = _here(repo, [key.name for key in keys if key.kind is Kind.CONTENT], {run.folder for run in runs.values()})
    made: dict[Key, Node] = {}
    for key in keys:
        run = runs.get(key)
        match key.kind:
            case Kind.RUN:
                made[key] = run_node(key, run, about[run.id]) if run else _no_run(now, key)
            case Kind.CONTENT:
                made[key] = _content(sources, key, run, is_here=key.name in here)
            case Kind.VERSION:
                made[key] = version_node(key, sources.versions[key.name])
            case Kind.STAGE:
                made[key] = stage_node(key, sources.stages[key.name])
            case Kind.SWEEP:
                made[key] = _sweep(key, len(sources.relations.trials(key.name)))
    return made


def _read(now: Now, rows: Mapping[Key, int]) -> dict[Key, Run]:
    """The runs that tell of nodes, those whose commit is here."""
    ids, places = now.relations.ids(rows.values()), now.relations.places(rows.values())
    runs = {run.id: run for run in now.read(dict.fromkeys(places[row] for row in rows.values()))}
    return {key: runs[ids[row]] for key, row in rows.items() if ids[row] in runs}


def happenings(repo: Repo, now: Now, sources: Sources, keys: Sequence[Key]) -> list[Happening]:
    """What other programs want to hear of the runs of *keys* that are here, the first one first."""
    rows = now.relations.in_time(row for key in keys if (row := sources.row(key.name)) is not None)
    places = now.relations.places(rows)
    found: list[Happening] = []
    with repo.reader() as reader:
        for run in now.read(places[row] for row in rows):
            about = _started(reader, run, deep=True)
            labels = {one.hash: sources.called(run.project, one.name, one.hash)[0] for one in (*run.used, *run.logged)}
            found.append(
                Happening(
                    run=run, author=about.get("author") or "", command=_words(about.get("command")),
                    remote=str(about.get("remote") or ""), labels=labels,
                )
            )  # fmt: skip
    return found


def _words(command: object) -> str:
    return shlex.join(map(str, command)) if isinstance(command, list | tuple) else str(command or "")


def _row(sources: Sources, key: Key, reader: Key | None) -> int | None:
    """The run that tells of a node: it itself, or who made a content or, else, read it."""
    if key.kind is Kind.RUN:
        return sources.row(key.name)
    if key.kind is not Kind.CONTENT:
        return None
    if makers := sources.relations.makers(key.name):
        return makers[0]
    return sources.row(reader.name) if reader else next(iter(sources.relations.readers(key.name)[::-1]), None)


def _started(reader: Reader, run: Run, *, deep: bool) -> Mapping[str, Any]:
    """Who recorded a run, and, where it is to be read, how it was started."""
    told: dict[str, Any] = {}
    if run.commit and (found := reader.read(run.commit)):
        told["author"] = split_commit(found[2])[0].get("author", "").partition(" <")[0]
        try:
            about = stored.provenance_in(reader, run) if deep else {}
            git = about.get("git")
            told |= {"command": about.get("command"), "remote": git.get("remote") if isinstance(git, dict) else None}
        except MlgitError:
            pass  # its YAML is not here, or damaged, which fsck says
    return told


def run_node(key: Key, run: Run, about: Mapping[str, Any]) -> Node:
    """A run that is here; *about* it: its author and command."""
    author, words = about.get("author") or "", _words(about.get("command"))
    code = f"code {run.source[:10]}{' with uncommitted changes' if run.dirty else ''}" if run.source else ""
    data = {
        "id": run.id, "name": run.name, "project": run.project, "state": run.state.value, "created": run.created,
        "finished": run.finished, "branch": run.branch, "commit": run.commit, "source": run.source, "dirty": run.dirty,
        "folder": run.folder, "command": words or None, "author": author or None, "metrics": run.scalars,
        "params": flatten(run.params), "tags": list(run.tags), "data": dict(run.data),
    }  # fmt: skip
    when = figures.moment(run.created)[:10]
    return Node(
        key=key, type="run", label=f"{run.name} ({run.id})",
        about=(run.state.value, figures.headlines(run), f"{author}, {when}" if author else when),
        below=tuple(filter(None, (", ".join(filter(None, (code, words))),))), data=data,
    )  # fmt: skip


def _no_run(now: Now, key: Key) -> Node:
    is_hidden = bool(now.rows("id = ? AND NOT shown", key.name) and not now.rows("id = ? AND shown", key.name))
    fix = f"{_HIDDEN} {shlex.quote(key.name)}" if is_hidden else _PULL
    return Node(key=key, type="run", label=key.name, missing=fix, data={"id": key.name, "missing": fix})


def _content(sources: Sources, key: Key, run: Run | None, *, is_here: bool) -> Node:
    """A content, as the run that made it, the person who added it, or else a run that read it tells of it."""
    ledger, added = sources.added.get(key.name, (None, None))
    logged = (_version(run.logged, key.name) if run else None) or added
    version = logged or (_version(run.used, key.name) if run else None)
    paths = sorted(path for path, content in run.data.items() if content == key.name) if run else []
    name, label, number = version.name if version else (paths or [key.name])[0], "", None
    if logged:
        project = ledger.project if ledger and logged is added else run.project if run else ""
        label, number = sources.called(project, name, key.name)
    missing = "" if logged or paths else f"no run here logged it; {_PULL}"
    about = _about(version)
    data = {
        "hash": key.name, "name": name, "version": number, "type": version.type if version else "data",
        "size": version.size if version else None, "files": (version.files or None) if version else None,
        "project": run.project if run else ledger.project if ledger else None, "paths": paths or None,
        "description": (version.description or None) if version else None,
        "created": (version.created or None) if version else None,
        "folder": run.folder if run else added.folder if added else "",
        "by": (added.by or None) if added else None, "here": is_here, "missing": missing or None,
    }  # fmt: skip
    return Node(
        key=key, type=version.type if version else "data", label=label or name, missing=missing,
        about=(key.name[:6], *about, "" if is_here else "bytes not here"), data=data,
    )  # fmt: skip


def _about(version: ArtifactVersion | None) -> tuple[str, ...]:
    """How large a version is, what else it is called, and who added it, if no run did."""
    if version is None:
        return ()
    files = f"{version.files:,} file{'s' * (version.files != 1)}" if version.files else ""
    aliases = ", ".join(alias for alias in version.aliases if alias != "latest")
    when = figures.moment(version.created)[:10]
    return (
        figures.size(version.size),
        files,
        aliases,
        f"added by {version.by.partition(' <')[0]}, {when}" if version.by else "",
    )


def _version(versions: Iterable[ArtifactVersion], content: str) -> ArtifactVersion | None:
    return next((version for version in versions if version.hash == content), None)


def version_node(key: Key, one: Registered) -> Node:
    """A registered version."""
    told = [f"{escape.line(name, 40)} {figures.number(value)}" for name, value in flatten(one.metrics).items()
            if is_number(value)]  # fmt: skip
    when = figures.moment(one.when)
    data = {
        "model": one.model, "version": one.version, "registered": one.when, "by": one.who, "run": one.run or None,
        "artifact": one.artifact or None, "hash": one.content or None, "commit": one.commit,
        "stages": list(one.stages), "metrics": dict(one.metrics),
    }  # fmt: skip
    by = f"registered {when[:10]}{f' by {one.who}' if one.who else ''}"
    return Node(key=key, type="version", label=one.name, about=(", ".join(told[:4]), by), data=data)


def stage_node(key: Key, one: Registered) -> Node:
    """A stage, which serves *one*."""
    _, _, stage = key.name.partition("#")
    data = {"model": one.model, "stage": stage, "version": one.version}
    return Node(key=key, type="stage", label=key.name, about=(f"serves {one.version}", one.served[key.name]), data=data)


def _sweep(key: Key, trials: int) -> Node:
    about = (f"{trials:,} trial{'s' * (trials != 1)}",)
    return Node(key=key, type="sweep", label=key.name, about=about, data={"id": key.name, "trials": trials})


def _here(repo: Repo, contents: Sequence[str], folders: Iterable[str]) -> set[str]:
    """Those of *contents* that a cache of this machine has; of a folder, its listing stands for it."""
    here: set[str] = set()
    for folder in ("", *{*folders} - {""}):
        for place in databases.of(repo, folder):  # it asks git for the last ones
            if len(here) == len(contents):
                return here
            here |= {one for one in contents if one not in here and databases.place(place, one).exists()}
    return here
