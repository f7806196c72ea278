"""CI's files in a repository: which are there, how they differ from what would be rendered, and how the two are merged.

Nobody's edits are lost. An upgrade merges three ways: what was rendered before (as git's history, or its index, has it
by the digest in the file's head), what somebody made of it, and what is rendered now.
"""

from __future__ import annotations

import enum
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.ci import workflows
from mlgit.ci.workflows import KITS, File, Options
from mlgit.errors import GitError
from mlgit.git import process
from mlgit.git.repo import Repo
from mlgit.version import __version__

_MOST_COMMITS = 1000


class Standing(enum.Enum):
    """How one of the files stands."""

    MISSING = "missing"
    CURRENT = "as rendered"
    EDITED = "edited"
    OLD = "older"
    EDITED_AND_OLD = "edited, and older"
    MARKED = "in conflict"
    FOREIGN = "not of mlgit ci"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One of the files, as it is on the disk and as it would be rendered."""

    path: str
    standing: Standing
    now: File
    """As it would be rendered."""
    there: File | None = None
    is_committed: bool = True
    """Whether HEAD has it as it is on the disk."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an upgrade makes of one file."""

    path: str
    text: str
    conflicts: int = 0
    """Places where both have changed the same, marked in the text."""
    is_blind: bool = False
    """Whether what was rendered before was not to be found, so that every difference is marked."""


def create(repo: Repo, files: Mapping[str, File]) -> list[str]:
    """Write those of *files* that are not there; return their paths. Raises `GitError` where the disk refuses."""
    missing = {path: file.text for path, file in files.items() if not (repo.folder / path).exists()}
    write(repo, missing)
    return list(missing)


def write(repo: Repo, texts: Mapping[str, str]) -> None:
    """Write *texts*, by their paths from the repository's top. Raises `GitError` where the disk refuses."""
    for name, text in texts.items():
        path = repo.folder / name
        try:
            with whole.at(path) as scratch:
                scratch.write_bytes(text.encode(errors="surrogateescape"))
        except OSError as exc:
            raise GitError(f"{path} cannot be written.", why=str(exc), fix="make it writable") from None


def names(repo: Repo) -> list[str]:
    """The kits that are there."""
    return [name for name, one in KITS.items() if (repo.folder / one.path).is_file()]


def look(repo: Repo, chosen: Iterable[str], given: Mapping[str, Any] | None = None) -> list[Kept]:
    """How the files of the kits *chosen* stand, each by the options that it was made with, but for those *given*.

    Raises `MlgitError` for a file that does not say what it was made of.
    """
    found = []
    for name in chosen:
        made_with = _options(repo, KITS[name].path)
        for path in workflows.rendered([name], made_with):
            there = _read(repo, path)
            options = replace(there.options if there else made_with, **(given or {}))
            now = workflows.rendered([name], options)[path]
            found.append(_kept(repo, path, there, now))
    return list({one.path: one for one in found}.values())


def upgraded(repo: Repo, kept: Iterable[Kept]) -> Iterator[Change]:
    """What is to be written so that *kept* is as it would be rendered, edits kept. Nothing is written."""
    for one in kept:
        if one.standing in (Standing.MISSING, Standing.OLD):
            yield Change(path=one.path, text=one.now.text)
        elif one.standing is Standing.EDITED_AND_OLD and one.there:
            base = _base(repo, one.path, one.there.digest)
            body, conflicts = _merged(one.there.body, base or "", one.now.body)
            yield Change(path=one.path, text=one.now.with_body(body).text, conflicts=conflicts, is_blind=base is None)


def _options(repo: Repo, path: str) -> Options:
    file = _read(repo, path)
    return file.options if file else Options()


def _read(repo: Repo, path: str) -> File | None:
    text = _text(repo, path)
    return workflows.read(text, path) if text is not None else None


def _text(repo: Repo, path: str) -> str | None:
    try:
        content = (repo.folder / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return content.decode(errors="surrogateescape").replace("\r\n", "\n")


def _kept(repo: Repo, path: str, there: File | None, now: File) -> Kept:
    if there is None:
        standing = Standing.FOREIGN if (repo.folder / path).exists() else Standing.MISSING
        return Kept(path=path, standing=standing, now=now)
    is_old = (there.digest, there.options) != (now.digest, now.options)
    standing = {
        (False, False): Standing.CURRENT, (True, False): Standing.EDITED, (False, True): Standing.OLD,
        (True, True): Standing.EDITED_AND_OLD,
    }[there.is_edited, is_old]  # fmt: skip
    if there.is_in_conflict:
        standing = Standing.MARKED
    with repo.reader() as reader:
        committed = reader.blob(f"HEAD:{path}") if repo.resolve("HEAD") else None
    return Kept(
        path=path, standing=standing, now=now, there=there,
        is_committed=committed == (repo.folder / path).read_bytes(),
    )  # fmt: skip


def _base(repo: Repo, path: str, digest: str) -> str | None:
    """The body of *path* that has that *digest*, as the index or a commit has it."""
    revs = [""]
    if repo.resolve("HEAD"):
        revs += repo.git("log", f"--max-count={_MOST_COMMITS}", "--format=%H", "HEAD", "--", path).split()
    with repo.reader() as reader:
        for rev in revs:
            content = reader.blob(f"{rev}:{path}")
            text = content.decode(errors="surrogateescape").replace("\r\n", "\n") if content else ""
            file = workflows.read(text, path)
            if file and file.digest == digest and not file.is_edited:
                return file.body
    return None


def _merged(ours: str, base: str, theirs: str) -> tuple[str, int]:
    """The three as one, and how many places of it are in conflict."""
    labels = ("yours", "as it was", f"mlgit {__version__}")
    with tempfile.TemporaryDirectory(prefix="mlgit-") as name:
        folder = Path(name)
        for label, text in zip(labels, (ours, base, theirs), strict=True):
            (folder / label).write_bytes(text.encode(errors="surrogateescape"))
        words = [word for label in labels for word in ("-L", label)]
        out = process.run("merge-file", "--stdout", *words, *labels, folder=folder, ok=tuple(range(128)))
    text = out.decode(errors="surrogateescape")
    return text, sum(line.startswith("<<<<<<< ") for line in text.splitlines())
