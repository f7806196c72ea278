"""Where a repository's pointers name content that DVC holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from mlgit.core import refs
from mlgit.git import process
from mlgit.git.repo import Repo

_POINTERS = (":(top)*.dvc", ":(top)*dvc.lock", ":(top)registry/*.yaml")
"""Where they stand: what DVC writes, and the models that are registered."""
_PLAIN = ("--text", "--no-color")
"""Whatever a user's configuration and `.gitattributes` say of how that is shown to people."""
_STASH = "refs/stash"
_HASH = re.compile(rb"\b[0-9a-f]{32}\b(?:\.dir\b)?")


def mentioned(repo: Repo, contents: Collection[str]) -> set[str]:
    """Those of *contents*, hashes of DVC's, and all those of folders, that a pointer names or has named.

    It stands in a work tree or its index, ignored or not, in a stash, or in the history of a branch of code, a tag or
    what is checked out. What is in a folder is named by its listing.
    """
    named = _named(repo) if contents else set()
    whole = {name.removesuffix(".dir") for name in named}
    folders = {name for name in named if name.endswith(".dir")}
    return folders | {content for content in contents if content.removesuffix(".dir") in whole}


def _named(repo: Repo) -> set[str]:
    trees = dict(_work_trees(repo))
    log = ("-c", "log.showRoot=true", "log", "--full-history", "-c", "-p", "-U0", *_PLAIN, "--no-ext-diff",
           "--no-textconv", "--no-renames", "--format=", "--stdin", "--", *_POINTERS)  # fmt: skip
    ends = "".join(f"{end}\n" for end in (*_ends(repo), *filter(None, trees.values())))
    told = process.run(*log, folder=repo.folder, stdin=ends.encode()) if ends else b""
    for folder in trees:
        for place in (("--untracked", "--no-exclude-standard"), ("--cached",)):
            grep = ("grep", *place, "-h", *_PLAIN, "--no-recurse-submodules", "--extended-regexp", "-e", "[0-9a-f]{32}")
            told += process.run(*grep, "--", *_POINTERS, folder=folder, ok=(0, 1))
    return {name.decode() for name in _HASH.findall(told)}


def _ends(repo: Repo) -> Iterator[str]:
    """What leads to the histories of code: branches, tags, and every stash, of which a ref names the last alone."""
    known = repo.refs("refs/heads/", "refs/tags/", "refs/remotes/", _STASH)
    yield from (ref for ref in known if not _is_run(ref) and ref != _STASH)
    if _STASH in known:
        yield from repo.git("log", "--walk-reflogs", "--format=%H", _STASH, "--").split()


def _work_trees(repo: Repo) -> Iterator[tuple[Path, str | None]]:
    """Those that are there, each with its commit: a pointer may be in one of them alone, or known to no branch."""
    for record in repo.git("worktree", "list", "--porcelain", "-z").split("\0\0"):
        told = dict(line.partition(" ")[::2] for line in record.split("\0"))
        if (folder := Path(told.get("worktree", ""))).is_absolute() and (folder / ".git").exists():
            head = told.get("HEAD", "")
            yield folder, head if head.strip("0") else None  # no commit yet


def _is_run(ref: str) -> bool:
    return ref.startswith(refs.RUNS) or (ref.startswith("refs/remotes/") and ref.split("/")[3:4] == ["exp"])
