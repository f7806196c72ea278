"""Where a repository's pointers name content that DVC holds."""

from __future__ import annotations

from collections.abc import Collection

from mlgit.core import refs
from mlgit.git import process
from mlgit.git.repo import Repo

_POINTERS = (":(top)*.dvc", ":(top)*dvc.lock", ":(top)registry/*.yaml")
"""Where they stand: what DVC writes, and the models that are registered."""


def mentioned(repo: Repo, contents: Collection[str]) -> set[str]:
    """Those of *contents*, hashes of DVC's, that a pointer names: in the work tree, on a branch of code or at a tag."""
    if not contents:
        return set()
    words = "".join(f"{content.removesuffix('.dir')}\n" for content in contents).encode()
    found = _found(repo, "--fixed-strings", "-f", "-", told=words)
    return {content for content in contents if content.removesuffix(".dir") in found}


def folders(repo: Repo) -> set[str]:
    """The contents of folders that pointers name, at the same places: what is in them is named by their listing."""
    return _found(repo, "--extended-regexp", "-e", r"[0-9a-f]{32}\.dir")


def _found(repo: Repo, *what: str, told: bytes = b"") -> set[str]:
    ends = [ref for ref in repo.refs("refs/heads/", "refs/tags/", "refs/remotes/") if not _is_run(ref)]
    places = [ends] if ends else []
    if repo.work_tree:
        places.append(["--untracked"])
    found: set[str] = set()
    for place in places:
        args = ("grep", "-h", "-o", *what, *place, "--", *_POINTERS)
        found.update(process.run(*args, folder=repo.folder, stdin=told, ok=(0, 1)).decode(errors="replace").split())
    return found


def _is_run(ref: str) -> bool:
    return ref.startswith(refs.RUNS) or (ref.startswith("refs/remotes/") and ref.split("/")[3:4] == ["exp"])
