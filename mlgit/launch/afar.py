"""The code of a job that sees no disk of whoever launches it: a commit that a remote has, and a clone of it there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlgit.artifacts import carrying
from mlgit.core import refs
from mlgit.dvc.caches import databases
from mlgit.dvc.remotes import remote as far
from mlgit.errors import GitError, MlgitError, NotFoundError, UsageError
from mlgit.git import process
from mlgit.git.remote import Remote, bare
from mlgit.git.repo import Repo
from mlgit.launch import code
from mlgit.store import live

TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
"""Variables of which the first that is set opens the remote that a clone is made of."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ORIGIN = "origin"


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a folder holds, as somebody elsewhere can have it."""

    commit: str
    inside: str
    """The folder in the repository, `.` for its top."""


def held(folder: Path, remote: Remote) -> Code:
    """The commit that *folder* is at, which *remote* has. Raises `UsageError` where a job would run something else."""
    repo = remote.repo
    commit = repo.resolve("HEAD")
    if commit is None or repo.work_tree is None:
        raise UsageError(f"{repo.folder} has no commit that could run elsewhere.", fix="commit what is to run")
    if changed := repo.git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty").splitlines():
        files = changed[0][3:] + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")
        what = "There are changes that are not committed, and a job elsewhere would not have them."
        raise UsageError(what, why=files, fix="commit and push them, or git stash")
    if not _has(remote, commit):
        raise UsageError(
            f"The commit {commit[:9]} is on no branch of {bare(remote.name)}, from where the job would take it.",
            fix=f"git push {bare(remote.name)} HEAD",
        )
    return Code(commit=commit, inside=folder.resolve().relative_to(repo.work_tree.resolve()).as_posix())


def _has(remote: Remote, commit: str) -> bool:
    """Whether a branch of *remote* holds *commit*: as it was heard of last, or, of an address alone, as it says now."""
    repo = remote.repo
    if remote.is_known:
        return bool(
            repo.git("for-each-ref", "--count=1", f"--contains={commit}", f"refs/remotes/{remote.name.lower()}/")
        )
    tips = set(remote.refs("refs/heads/*").values())
    return any(repo.resolve(tip) is not None and repo.is_ancestor(commit, tip) for tip in tips)


@contextmanager
def clone(address: str, wanted: str, *, tell: Callable[[str], None]) -> Iterator[Path]:
    """A folder of a clone of *address*, with the code *wanted*: `COMMIT`, or `COMMIT:FOLDER` of it; a branch will do.

    The data that DVC tracks lies there too, as far as it is to be had, else *tell* hears of it. Afterwards the clone is
    gone, unless it has something that is nowhere else: a run, what one has said since, bytes of an artifact.
    Raises `GitError`, `NotFoundError`, `UsageError`.
    """
    name, _, inside = wanted.partition(":")
    base, remote = Path(tempfile.mkdtemp(prefix="mlgit-")), None
    try:
        top = base / (refs.slug(address.rstrip("/").rpartition("/")[2].removesuffix(".git")) or "clone")
        process.run("init", "--quiet", "--end-of-options", str(top), folder=base)
        process.run("config", f"remote.{_ORIGIN}.url", address, folder=top)
        _let_in(address, top)
        repo = Repo.find(top)
        assert repo is not None
        remote = Remote(repo=repo, name=_ORIGIN)
        commit = _commit(remote, name)
        remote.fetch([commit], depth=1)
        process.run("checkout", "--quiet", "--detach", commit, folder=top)
        folder = (top / inside).resolve()
        if not folder.is_relative_to(top.resolve()) or not folder.is_dir():
            raise NotFoundError(f"The code {name[:60]} has no folder {inside[:80]!r}.")
        code.bring_data(top, tell)
        yield folder
    finally:
        if remote and (left := _left(remote, base)):
            tell(left)
        else:
            shutil.rmtree(base, ignore_errors=True)


def _let_in(address: str, top: Path) -> None:
    """Let git in *top* show a token to the *address*, and to no other, where the environment has one.

    The helpers of whoever we are for are asked before, by a git outside of the clone: those that git has itself are
    told what has opened a remote, and many write it down (gitcredentials(7)).
    """
    token = next((name for name in TOKENS if os.environ.get(name)), None)
    if token and address.startswith(("https://", "http://")):
        known = "env -u GIT_DIR GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=false git -C / credential fill 2>/dev/null"
        ours = f'{{ echo username=x-access-token; echo "password=${token}"; }}'
        helper = f"credential.{bare(address)}.helper"
        process.run("config", helper, "", folder=top)  # forgets those before it
        process.run("config", "--add", helper, f'!f() {{ test "$1" != get || {known} || {ours}; }}; f', folder=top)


def _commit(remote: Remote, name: str) -> str:
    if _COMMIT.fullmatch(name):
        return name
    ref = f"refs/heads/{name}"
    if (found := remote.refs("refs/heads/*").get(ref)) is None:
        what = f"{bare(remote.address)} has no branch {name[:80]!r}."
        raise NotFoundError(what, fix="a branch that it has, or the whole id of a commit")
    return found


def _left(remote: Remote, base: Path) -> str:
    """What lies in the clone below *base* and nowhere else, with the way to save it; nothing where all is elsewhere."""
    repo = remote.repo
    kept = f"are kept: cd {shlex.quote(str(repo.folder))} &&"
    try:
        if _unsent(remote) or live.folders(repo):
            return f"runs that are not on {bare(remote.address)} yet {kept} mlgit push"
        homeless = {one.content: one.label for one in carrying.everything(repo) if _is_homeless(repo, one, base)}
    except MlgitError as exc:
        return f"runs {kept} mlgit push (whether that is needed is not known: {exc.what})"
    if not homeless:
        return ""
    some, *more = homeless.values()
    also = f" and {len(more)} more" if more else ""
    why = "there was no default DVC remote for them"
    return f"the bytes of {some}{also} {kept} dvc init && dvc remote add -d NAME URL && mlgit push ({why})"


def _unsent(remote: Remote) -> bool:
    """Whether a run of the clone says something that *remote* does not have, or may not have."""
    repo, mine = remote.repo, remote.repo.refs(refs.RUNS)
    try:
        there = remote.refs(f"{refs.RUNS}*") if mine else {}
        if not mine.keys() <= there.keys():
            return True
        moved = {tip: there[ref] for ref, tip in mine.items() if there[ref] != tip}
        remote.fetch(moved.values())
        return not all(repo.is_ancestor(tip, new) for tip, new in moved.items())
    except GitError:
        return bool(mine)


def _is_homeless(repo: Repo, piece: carrying.Piece, base: Path) -> bool:
    """Whether the bytes of *piece* lie below *base*, and have no remote to go to."""
    places = (databases.place(database, piece.content) for database in databases.of(repo, piece.folder))
    return any(place.resolve().is_relative_to(base.resolve()) and place.exists() for place in places) and (
        far.unsent(repo, (), folder=piece.folder) is None
    )
