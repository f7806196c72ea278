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
_HASH = re.compile(rb"\b[0-9a-f]{32}\b(?:\.dir\b)?")


def mentioned(repo: Repo, contents: Collection[str]) -> set[str]:
    """Those of *contents*, hashes of DVC's, and all those of folders, that a pointer names or has named.

    It stands in a work tree, or in the history of a branch of code or a tag. What is in a folder is named by its
    listing.
    """
    named = _named(repo) if contents else set()
    whole = {name.removesuffix(".dir") for name in named}
    folders = {name for name in named if name.endswith(".dir")}
    return folders | {content for content in contents if content.removesuffix(".dir") in whole}


def _named(repo: Repo) -> set[str]:
    ends = [ref for ref in repo.refs("refs/heads/", "refs/tags/", "refs/remotes/", "refs/stash") if not _is_run(ref)]
    log = ("-c", "log.showRoot=true", "log", "--full-history", "-c", "-p", "-U0", "--no-ext-diff", "--no-textconv",
           "--no-renames", "--format=", "--stdin", "--", *_POINTERS)  # fmt: skip
    told = process.run(*log, folder=repo.folder, stdin="".join(f"{ref}\n" for ref in ends).encode()) if ends else b""
    for folder in _work_trees(repo):
        grep = ("grep", "-h", "--untracked", "--extended-regexp", "-e", "[0-9a-f]{32}", "--", *_POINTERS)
        told += process.run(*grep, folder=folder, ok=(0, 1))
    return {name.decode() for name in _HASH.findall(told)}


def _work_trees(repo: Repo) -> Iterator[Path]:
    """Those that are there: a pointer may be in one of them alone."""
    for line in repo.git("worktree", "list", "--porcelain", "-z").split("\0"):
        name, _, value = line.partition(" ")
        if name == "worktree" and (Path(value) / ".git").exists():
            yield Path(value)


def _is_run(ref: str) -> bool:
    return ref.startswith(refs.RUNS) or (ref.startswith("refs/remotes/") and ref.split("/")[3:4] == ["exp"])
