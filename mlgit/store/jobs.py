"""Where jobs run, in git: `refs/mlgit/jobs/<project>`, a file `jobs/<id>.yaml` for each, so that any machine can ask.

Each change is a commit by who made it. The files are JSON, which is YAML: no reader to load.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from mlgit.core import escape, posted, refs
from mlgit.core.posted import Posted
from mlgit.errors import GitError, MlgitError, NotFoundError, UsageError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo, is_passing
from mlgit.store import records

_TRIES = 50
_FOLDER = "jobs"

Change = Callable[[Mapping[str, Posted]], Mapping[str, Posted]]
"""The jobs as they are, by id → as they are to be."""


def known(repo: Repo, project: str) -> list[Posted]:
    """The jobs of *project*, the newest first. Files that cannot be read are passed over: `mlgit fsck` tells."""
    with repo.reader() as reader:
        found = read(reader, repo.refs(ref := refs.jobs(project)).get(ref))
    return sorted(found.values(), key=lambda job: (-job.submitted, job.id))


def find(repo: Repo, project: str, text: str) -> Posted:
    """The job of *project* that *text* names: its id or its beginning, its backend's, its name (the newest) or
    `latest`.

    Raises `NotFoundError`, `UsageError` where it may be one of several.
    """
    jobs = known(repo, project)
    for names in ("id", "job", "name"):
        for job in jobs:
            if text in (getattr(job, names), "latest"):
                return job
    begun = [job for job in jobs if len(text) >= 3 and job.id.startswith(text)]
    if len(begun) > 1:
        raise UsageError(f"{text!r} begins {len(begun)} jobs.", fix=f"one of {', '.join(j.id for j in begun[:5])}")
    if begun:
        return begun[0]
    why = "mlgit sync brings what was launched elsewhere." if repo.git("remote") else ""
    fix = "mlgit jobs ls --all lists them"
    raise NotFoundError(f"There is no job {text[:80]!r} in the project {project}.", why=why, fix=fix)


def read(reader: Reader, commit: str | None) -> dict[str, Posted]:
    """The jobs that the list says at *commit*, by id; none for None."""
    entries = (reader.tree(f"{commit}:{_FOLDER}") or {}) if commit else {}
    blobs = reader.read_all(entry.oid for entry in entries.values())
    told = (_parse(blob[2], file) for file, blob in zip(entries, blobs, strict=True) if blob)
    return {job.id: job for job in told if job}


def _parse(text: bytes, file: str) -> Posted | None:
    with suppress(ValueError):
        found = posted.read(records.told(text))
        return found if file == f"{found.id}.yaml" else None
    return None


def damage(reader: Reader, tip: str) -> Iterator[str]:
    """Which files of the list at *tip* tell of no job: they are passed over."""
    names = {f"{name}.yaml" for name in read(reader, tip)}
    yield from (
        f"{_FOLDER}/{name} cannot be read" for name in reader.tree(f"{tip}:{_FOLDER}") or {} if name not in names
    )


def change(repo: Repo, project: str, change: Change, *, why: str) -> dict[str, Posted]:
    """Record what *change* makes of the jobs of *project*, as they are by now; return them.

    Somebody else may change them at the same moment: then *change* is asked again. Raises `GitError` where git refuses.
    """
    ref = refs.jobs(project)
    for tries in range(_TRIES):
        tip = repo.refs(ref).get(ref)
        with repo.reader() as reader:
            before = read(reader, tip)
        after = dict(change(before))
        files = _written(before, after)
        if not files:
            return after
        try:
            repo.commit_on(ref, files, escape.line(why), expect=tip)
        except GitError as exc:
            if not is_passing(exc, again=tries < _TRIES - 1):
                raise
        else:
            return after
    raise MlgitError(f"The jobs of {project} are being changed by others all the time.", fix="try again")


def keep(repo: Repo, job: Posted, *, why: str) -> None:
    """Let the list say *job*, whatever it said of it before."""
    change(repo, job.project, lambda before: {**before, job.id: job}, why=why)


def _written(before: Mapping[str, Posted], after: Mapping[str, Posted]) -> dict[str, bytes | None]:
    """The files in which *after* differs from *before*, by path."""
    files: dict[str, bytes | None] = {
        f"{_FOLDER}/{name}.yaml": _text(job) for name, job in after.items() if before.get(name) != job
    }
    return files | {f"{_FOLDER}/{name}.yaml": None for name in before.keys() - after.keys()}


def _text(job: Posted) -> bytes:
    return json.dumps(job.document(), indent=2, ensure_ascii=False).encode(errors="surrogateescape") + b"\n"


def joined(repo: Repo, ours: str, theirs: str) -> str:
    """A commit that says what the lists at *ours* and *theirs* do, one of these where it does.

    A job that one side has let go has gone, unless the other has seen since that it is under way.
    """
    base = repo.merge_base(ours, theirs)
    with repo.reader() as reader:
        before, near, far = (read(reader, tip) for tip in (base, ours, theirs))
    if base == ours:
        return theirs
    if base == theirs:
        return ours
    found = {name: posted.merged(near[name], far[name]) for name in near.keys() & far.keys()}
    for one, other in ((near, far), (far, near)):
        found |= {
            name: job for name, job in one.items()
            if name not in other and (name not in before or (before[name] != job and not job.state.ended))
        }  # fmt: skip
    files = _written(far, found)
    return repo.commit(theirs, files, "jobs: of two machines", parents=(theirs, ours)) if files else theirs
