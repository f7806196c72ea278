"""What DVC keeps in a project: its set-up, and the data versions at a commit. Loads nothing of DVC."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mlgit.dvc import pointers
from mlgit.dvc.pointers import Out
from mlgit.errors import ConfigError, MlgitError
from mlgit.git import process
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo

MAX_BYTES = 4 << 20
"""A pointer beyond this size is no pointer."""
MAX_POINTERS = 2_000

# What `dvc init` writes, and the two settings that keep it from calling home.
_FILES = {
    ".dvc/config": "[core]\n    analytics = false\n    check_update = false\n",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvcignore": "# Add patterns of files dvc should ignore, which could improve\n"
    "# the performance. Learn more at\n"
    "# https://dvc.org/doc/user-guide/dvcignore\n",
}


def setup(repo: Repo, folder: str = "") -> tuple[str, ...]:
    """Make *folder* (in the repository, `""` for its root) a DVC project; return the files that were written.

    What is there stays as it is; a folder inside a DVC project already belongs to that one. Nothing is staged: the
    files are the user's to commit. Raises `MlgitError` where the disk refuses.
    """
    if repo.work_tree is None:
        raise MlgitError(f"{repo.git_dir} is bare: it has no folder for DVC.", fix="work in a clone")
    if root(repo.work_tree / folder, repo.work_tree):
        return ()
    written: list[str] = []
    try:
        (repo.work_tree / folder / ".dvc").mkdir(parents=True, exist_ok=True)
        for name, text in _FILES.items():
            path = repo.work_tree / folder / name
            if not path.exists():
                path.write_text(text, encoding="utf-8")
                written.append(posixpath.join(folder, name))
    except OSError as exc:
        raise MlgitError(f"DVC could not be set up in {repo.work_tree / folder}.", why=str(exc)) from exc
    return tuple(written)


def root(start: Path, top: Path) -> Path | None:
    """The DVC project that holds *start*: the nearest folder with a `.dvc/config`, from there up to *top*."""
    for folder in (start, *start.parents):
        if (folder / ".dvc" / "config").is_file():
            return folder
        if folder == top:
            break
    return None


def of(repo: Repo, folder: str) -> Path | None:
    """The DVC project that *folder* (in the repository) belongs to, in the work tree that stays; None without one."""
    main = main_work_tree(repo)
    return root(main / folder, main) if main else None


def main_work_tree(repo: Repo) -> Path | None:
    """The work tree that stays when worktrees go; None where the repository is bare."""
    if repo.git_dir != repo.common_dir and repo.common_dir.name == ".git":
        return repo.common_dir.parent
    return repo.work_tree


def tracked(repo: Repo, reader: Reader, commit: str, folder: str = "") -> dict[str, str]:
    """The data versions at *commit*: path → content hash, from the `.dvc` files and `dvc.lock`s below *folder*.

    Paths are relative to *folder*. The pointers of logged artifacts in `experiment/` are not data. A pointer that
    cannot be read is skipped: a run does not fail over it. Where the commit has no DVC project, a few objects are read.
    """
    return {path: out.hash for path, out in outs(repo, reader, commit, folder).items()}


def outs(repo: Repo, reader: Reader, commit: str, folder: str = "") -> dict[str, Out]:
    """`tracked`, with all that the pointers say of each."""
    if not _has_project(reader, commit, folder):
        return {}
    found = dict(_pointers(repo, commit, folder))
    small = _small(repo, found)
    return {
        posixpath.normpath(posixpath.join(posixpath.dirname(path), out.path)): out
        for path, oid in found.items()
        if oid in small
        for out in _outs(reader, path, oid)
    }


def _has_project(reader: Reader, commit: str, folder: str) -> bool:
    parts = Path(folder).parts
    places = ["/".join((*parts[:count], ".dvc/config")) for count in range(len(parts) + 1)]
    return any(reader.blob(f"{commit}:{place}") is not None for place in places)


def _pointers(repo: Repo, commit: str, folder: str) -> Iterator[tuple[str, str]]:
    """(path below *folder*, object id) of everything that is named like a pointer."""
    tree = f"{commit}:{folder}"
    args = ("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", tree)
    out = process.run(*args, folder=repo.folder, ok=(0, 128)).decode(errors="surrogateescape")
    count = 0
    for line in out.split("\0"):
        entry, _, path = line.partition("\t")
        name = posixpath.basename(path)
        if (name == "dvc.lock" or (name.endswith(".dvc") and name != ".dvc")) and not path.startswith("experiment/"):
            count += 1
            if entry.startswith("100") and count <= MAX_POINTERS:
                yield path, entry.split(" ")[2]


def _small(repo: Repo, found: dict[str, str]) -> set[str]:
    """Those of the objects that are small enough to be pointers."""
    if not found:
        return set()
    asked = "\n".join(found.values()).encode()
    out = process.run("cat-file", "--batch-check=%(objectname) %(objectsize)", folder=repo.folder, stdin=asked)
    pairs = (line.split(" ") for line in out.decode().splitlines())
    return {oid for oid, size in pairs if size.isdigit() and int(size) <= MAX_BYTES}


def _outs(reader: Reader, path: str, oid: str) -> Sequence[Out]:
    parse: Callable[..., Sequence[Out]] = pointers.parse_lock if path.endswith("dvc.lock") else pointers.parse
    try:
        return parse(reader.blob(oid) or b"", source=path)
    except ConfigError:
        return ()
