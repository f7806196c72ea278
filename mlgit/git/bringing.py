"""A commit, brought back into the work tree; files of it, there or elsewhere, with their line ends and filters.

What stands there and is in no commit is never overwritten unasked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlgit.errors import MlgitError, UsageError
from mlgit.git import process
from mlgit.git.objects import Entry
from mlgit.git.repo import Repo


def switch(repo: Repo, commit: str, *, branch: str | None = None, force: bool = False) -> None:
    """HEAD, index and work tree at *commit*: detached, or on a new *branch*. The user's hooks run, as at the prompt.

    Raises `UsageError` where git refuses, as it does for files that would be overwritten, unless *force* is given.
    """
    how = f"--create={branch}" if branch else "--detach"
    loss = "--discard-changes" if force else "--no-overwrite-ignore"
    git = process.start(("switch", "--quiet", how, loss, commit), folder=repo.folder, hooks=True)
    _, err = git.communicate()
    is_there = (repo.resolve("HEAD"), repo.head()) == (commit, f"refs/heads/{branch}" if branch else None)
    if git.returncode and not is_there:  # a hook that comes after it may have failed
        why = err.decode(errors="replace").strip()
        fix = "git stash --include-untracked, or --to DIR" if "overwritten" in why else ""
        raise UsageError("git did not switch.", why=why, fix=fix)


def files(repo: Repo, commit: str, path: str = "") -> dict[str, Entry]:
    """The file *path* of *commit*, or all below it where it is a folder, by their paths in the repository."""
    args = ("ls-tree", "-r", "-z", "--full-tree", commit, "--", *((path,) if path else ()))
    lines = process.run(*args, folder=repo.folder).decode(errors="surrogateescape").split("\0")
    found = (line.partition("\t") for line in lines if line)
    return {name: Entry(*_mode_and_id(about)) for about, _, name in found}


def _mode_and_id(about: str) -> tuple[str, str]:
    mode, _, oid = about.split(" ")
    return mode, oid


def submodules(found: Mapping[str, Entry]) -> dict[str, str]:
    """Those of the files *found* that are submodules: path → the commit that it was at."""
    return {path: entry.oid for path, entry in found.items() if entry.mode == "160000"}


def bring(repo: Repo, commit: str, wanted: Mapping[str, Entry], into: Path, *, force: bool = False) -> list[str]:
    """Write the files *wanted* of *commit* below *into*, by their paths; return those that were not there so already.

    HEAD and index stay as they are, and so do submodules. Raises `UsageError` where one would take the place of what
    no commit has, unless *force* is given, and `MlgitError` where a folder is in the way: that is never removed.
    """
    modules = submodules(wanted)
    differing = [path for path in _differing(repo, wanted, into) if path not in modules]
    if blocked := [path for path in differing if _blocked(into, path)]:
        raise MlgitError(f"{into / blocked[0]} is in the way.", fix="move it away, or give --to another folder")
    if not force and (unsaved := _unsaved(repo, differing, into)):
        more = f" and {len(unsaved) - 5} more" if len(unsaved) > 5 else ""
        raise UsageError(
            f"{', '.join(unsaved[:5])}{more} would be overwritten.",
            why="What is there now is in no commit." if into == repo.work_tree else f"It is in {into} already.",
            fix="move it away, or stash or commit it; --force, to lose it",
        )
    with tempfile.TemporaryDirectory(prefix="mlgit-") as scratch:
        env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        env |= {} if repo.work_tree else {"GIT_WORK_TREE": scratch}  # git insists on one
        process.run("read-tree", "--no-sparse-checkout", commit, folder=repo.folder, env=env)
        process.run(
            "checkout-index", "--force", "--quiet", "-z", "--stdin", f"--prefix={into}/", folder=repo.folder, env=env,
            stdin="\0".join(differing).encode(errors="surrogateescape"),
        )  # fmt: skip
    return differing


def _differing(repo: Repo, wanted: Mapping[str, Entry], into: Path) -> list[str]:
    """Those of *wanted* that *into* has otherwise, or not at all."""
    there = [
        path for path, entry in wanted.items()
        if entry.mode.startswith("100") and "\n" not in path and (into / path).is_file()
        and not (into / path).is_symlink()
    ]  # fmt: skip
    asked = "".join(f"{path if into == repo.work_tree else into / path}\n" for path in there)  # so filters apply
    args = ("hash-object", "--stdin-paths")
    hashed = process.run(*args, folder=repo.folder, stdin=asked.encode(errors="surrogateescape")).decode().split()
    same = {path for path, oid in zip(there, hashed, strict=True) if oid == wanted[path].oid}
    return [path for path in wanted if path not in same]


def _blocked(into: Path, path: str) -> bool:
    """Whether a folder stands where the file should, or something else where one of its folders should."""
    above = [into / parent for parent in Path(path).parents if parent != Path()]
    return _is_folder(into / path) or any(_is_there(folder) and not _is_folder(folder) for folder in above)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _unsaved(repo: Repo, paths: Iterable[str], into: Path) -> list[str]:
    """Those of *paths* at which *into* holds what is neither in the index as it is, nor nothing."""
    there = [path for path in paths if _is_there(into / path)]
    if not there or into != repo.work_tree:
        return there
    tracked = set(repo.git("ls-files", "-z", "--full-name", ":/").split("\0"))
    changed = set(repo.git("diff", "--name-only", "-z", "--ignore-submodules").split("\0"))
    return [path for path in there if path not in tracked or path in changed]
