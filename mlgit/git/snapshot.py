"""The code as it stands, as a commit, without touching work tree, index or HEAD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit import whole
from mlgit.errors import GitError
from mlgit.git import process, unchanged
from mlgit.git.changes import USUAL, Change, Limits
from mlgit.git.objects import MOST_LOOSE, Entry, Reader
from mlgit.git.repo import Repo

if TYPE_CHECKING:
    from mlgit.git.sifting import Sieve


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The code as it ran. `commit` is HEAD, or, where changes were taken along (*dirty*), a commit on top of HEAD."""

    commit: str
    head: str | None
    dirty: bool
    left_out: tuple[tuple[str, str], ...] = ()
    """Changed files that were not taken: (path, reason)."""


def take(repo: Repo, limits: Limits = USUAL) -> Snapshot:
    """The work tree of *repo* as a commit: tracked, modified and untracked files, but none that git ignores.

    A virtual environment that git does not know of is taken as ignored: since Python 3.13 `venv` has it so itself.
    Files beyond *limits* and files that look like secrets are left out, and said so. A merge in progress is taken as
    the files are; an empty repository gives a commit without parents; a bare one its HEAD. Where nothing has changed
    since this process took it last, it is the same commit.
    """
    if repo.work_tree is None:
        head = repo.resolve("HEAD")
        return Snapshot(commit=head or _commit(repo, _empty_tree(repo), None), head=head, dirty=False)
    known = _LAST.get(repo.git_dir)
    mark = (
        unchanged.mark(repo.work_tree, repo.git_dir, repo.common_dir) if known and known.doubts < _MOST_DOUBTS else None
    )
    if known and mark and known.mark == mark and known.limits == limits:
        return known.snapshot
    taken = _take(repo, limits, repo.work_tree)
    doubts = 0 if mark or not known else known.doubts + 1
    _LAST[repo.git_dir] = _Last(mark=mark, limits=limits, snapshot=taken, doubts=doubts)
    return taken


def of_head(repo: Repo) -> Snapshot:
    """HEAD alone, for who wants nothing else kept; that the work tree differs from it is said as left out."""
    head, changed = _status(repo) if repo.work_tree else (repo.resolve("HEAD"), [])
    left_out = ((f"{len(changed)} changed or new files", "save_code is off"),) if changed else ()
    return Snapshot(commit=head or _commit(repo, _empty_tree(repo), None), head=head, dirty=False, left_out=left_out)


@dataclass(frozen=True, kw_only=True)
class _Last:
    """The last snapshot of a repository, and the state of its files just before; None where that could not be told."""

    mark: unchanged.Mark | None
    limits: Limits
    snapshot: Snapshot
    doubts: int
    """So many times in a row it could not be told."""


_LAST: dict[Path, _Last] = {}
_MOST_DOUBTS = 5


def _take(repo: Repo, limits: Limits, top: Path) -> Snapshot:
    head, changed = _status(repo)
    if head and not changed:
        return Snapshot(commit=head, head=head, dirty=False)
    from mlgit.git import conversion
    from mlgit.git.seen import Seen
    from mlgit.git.sifting import Sieve

    rules = conversion.rules(repo, top, {change.path.rpartition("/")[0] for change in changed})
    sieve = Sieve(top, limits, Seen(top, repo.git_dir / "mlgit" / "seen.json", rules))
    sieve.sift(changed)
    try:
        tree = _tree(repo, head, sieve)
    except GitError:  # a blob of another day may have gone with the runs that held it
        if not sieve.seen.forget_blobs():
            raise
        tree = _tree(repo, head, sieve)
    left_out = tuple((change.path, reason) for change, reason in sieve.left)
    commit = head if head and tree == repo.git("rev-parse", f"{head}^{{tree}}") else _commit(repo, tree, head)
    return Snapshot(commit=commit, head=head, dirty=commit != head, left_out=left_out)


def _status(repo: Repo) -> tuple[str | None, list[Change]]:
    """HEAD's commit, and every path that differs from it (git-status(1), porcelain format version 2)."""
    out = process.run(
        "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--no-renames",
        "--ignore-submodules=dirty", folder=repo.folder,
    )  # fmt: skip
    head: str | None = None
    changed: list[Change] = []
    for item in out.decode(errors="surrogateescape").split("\0"):
        kind = item[:2]
        if item.startswith("# branch.oid "):
            oid = item.split(" ")[2]
            head = None if oid == "(initial)" else oid
        elif kind == "1 ":
            changed.append(Change(item.split(" ", 8)[8]))
        elif kind == "u ":
            changed.append(Change(item.split(" ", 10)[10]))
        elif kind == "? " and not whole.is_begun(item[2:]):
            changed.append(Change(item[2:], new=True))
    return head, _without_environments(changed)


def _without_environments(changed: list[Change]) -> list[Change]:
    """*changed* less the new files of virtual environments (PEP 405), whose packages the run lists anyway."""
    inside = tuple(
        change.path.removesuffix("pyvenv.cfg")
        for change in changed
        if change.new and change.path.endswith("/pyvenv.cfg")
    )
    return [change for change in changed if not (change.new and change.path.startswith(inside))] if inside else changed


# What git thinks is a large file it puts into a pack, together with all others of the same call; what a filter has to
# see first stays a file of its own. A file an object takes six times as long.
_IN_ONE_PACK = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bigFileThreshold", "GIT_CONFIG_VALUE_0": "1"}


def _tree(repo: Repo, head: str | None, sieve: Sieve) -> str:
    """The tree of HEAD with what *sieve* takes as the work tree has it, written through an index of its own."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mlgit-index-") as scratch:
        index = Path(scratch) / "index"
        env = {"GIT_INDEX_FILE": str(index)}
        try:
            shutil.copy2(repo.git_dir / "index", index)  # its time tells git which files it must not trust (racy-git)
        except FileNotFoundError:
            if head:
                repo.git("read-tree", head, env=env)
        known = {change.path: blob for change in sieve.taken if (blob := sieve.seen.blob(change.path))}
        unknown = [change.path for change in sieve.taken if change.path not in known]
        how = env | _IN_ONE_PACK if len(unknown) > MOST_LOOSE else env
        _feed(repo, ("update-index", "--add", "--remove", "--replace", "-z", "--stdin"), unknown, how)
        _enter(repo, known, env)
        _put_back(repo, head, [change.path for change, _ in sieve.left if not change.new], env)
        tree = repo.git("write-tree", env=env)
        if sieve.seen.is_worth_keeping:
            sieve.seen.keep(_blobs(repo, env))
        return tree


def _enter(repo: Repo, blobs: Mapping[str, str], env: dict[str, str]) -> None:
    """Let the index hold *blobs* (path → mode and id), which git made earlier."""
    _feed(repo, ("update-index", "-z", "--index-info"), [f"{blob}\t{path}" for path, blob in blobs.items()], env)


def _blobs(repo: Repo, env: dict[str, str]) -> dict[str, str]:
    """All that the index holds: path → mode and id."""
    out = process.run("ls-files", "--stage", "-z", folder=repo.folder, env=env).decode(errors="surrogateescape")
    items = (item.partition("\t") for item in out.split("\0") if item)
    return {path: about.rpartition(" ")[0] for about, _, path in items}


def _put_back(repo: Repo, head: str | None, paths: list[str], env: dict[str, str]) -> None:
    """Let the index hold *paths* as HEAD does, whatever was staged."""
    if not paths:
        return
    zero = "0" * (64 if repo.config.get("extensions.objectformat") == "sha256" else 40)
    with repo.reader() as reader:

        def lines() -> Iterator[str]:
            for path in paths:
                yield f"0 {zero}\t{path}"
                if (found := _held(reader, head, path)) and not found.is_tree:
                    yield f"{found.mode} {found.oid}\t{path}"

        _feed(repo, ("update-index", "-z", "--index-info"), lines(), env)


def _held(reader: Reader, commit: str | None, path: str) -> Entry | None:
    """What *commit* has at *path*, folder by folder: a name may hold what `commit:path` cannot say."""
    found = Entry("40000", f"{commit}^{{tree}}") if commit else None
    for name in path.split("/"):
        entries = reader.tree(found.oid) if found and found.is_tree else None
        found = (entries or {}).get(name)
    return found


def _feed(repo: Repo, args: tuple[str, ...], items: Iterator[str] | list[str], env: dict[str, str]) -> None:
    if text := "".join(f"{item}\0" for item in items):
        process.run(*args, folder=repo.folder, stdin=text.encode(errors="surrogateescape"), env=env)


def _empty_tree(repo: Repo) -> str:
    writer = repo.writer()
    tree = writer.tree({})
    writer.flush()
    return tree


def _commit(repo: Repo, tree: str, head: str | None) -> str:
    writer = repo.writer()
    commit = repo.write_commit(writer, tree, (head,) if head else (), "The code as it ran")
    writer.flush()
    return commit
