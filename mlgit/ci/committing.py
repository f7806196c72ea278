"""A person's own commit, with what it asks CI for: git runs as they would run it, with their hooks and their editor."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.ci.request import Request
from mlgit.errors import GitError, UsageError
from mlgit.git.repo import Repo

_HEADS, _RUNS = "refs/heads/", "refs/heads/exp/"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What `mlgit commit` was asked for."""

    request: Request
    messages: tuple[str, ...] = ()
    """Its paragraphs; without any, the editor asks."""
    is_all: bool = False
    """What has changed goes along, as `git commit -a` has it."""
    more: tuple[str, ...] = ()
    """Further words for `git commit`."""


def words(repo: Repo, wish: Wish) -> tuple[str, ...]:
    """What git is called with for *wish*. Raises `UsageError` where CI would not get what the person means it to."""
    _is_own_branch(repo)
    given = [word for message in wish.messages for word in ("-m", message)]
    asks = [word for line in wish.request.trailers() for word in ("--trailer", line)]
    # one line for each run, also where two are the same; and none of a person's own separators in our lines
    plain = ("-c", "trailer.separators=:", "-c", "trailer.ifexists=add") if asks else ()
    return (*plain, "commit", *(["-a"] if wish.is_all else []), *given, *asks, *_empty(repo, wish), *wish.more)


def _is_own_branch(repo: Repo) -> None:
    branch = repo.head() or ""
    if branch.startswith(_RUNS):
        raise UsageError(
            f"{branch.removeprefix(_HEADS)} holds the result of a run, which is evidence: nothing is committed to it.",
            fix="git switch -c NAME RUN^, which is its code",
        )


def _empty(repo: Repo, wish: Wish) -> tuple[str, ...]:
    """`--allow-empty` where the commit only asks for something. Raises `UsageError` where changes would stay behind."""
    if not wish.request:
        return ()
    states = [line[:2] for line in repo.git("status", "--porcelain", "-z", "--untracked-files=no").split("\0")]
    changed = [state for state in states if state[1:] not in ("", " ")]
    if wish.is_all or any(state[:1] not in ("", " ") for state in states):
        return () if states != [""] else ("--allow-empty",)
    if not changed:
        return ("--allow-empty",)
    if wish.more:
        return ()  # paths among them, perhaps: git knows
    raise UsageError(
        f"Nothing is staged, and {len(changed)} file{'s have' if len(changed) > 1 else ' has'} changed: CI would run "
        "the code without that.",
        fix="-a, or git add; `-- --allow-empty` to leave it out",
    )


def commit(words: Sequence[str], folder: Path) -> None:
    """Run `git WORDS` in *folder* as a person does. Raises `GitError` where it ends in anything but 0."""
    _run(words, folder, "nothing was committed")


def pushing(repo: Repo) -> tuple[str, ...]:
    """What git is called with to push the branch. Raises `UsageError` where there is nowhere to push to."""
    branch = (repo.head() or "").removeprefix(_HEADS)
    if not branch:
        raise UsageError("No branch is checked out, which --push could push.", fix="git switch -c NAME")
    if f"branch.{branch}.merge" in repo.config:
        return ("push",)
    if "remote.origin.url" not in repo.config:
        raise UsageError(f"{branch} has no remote to push to.", fix="git remote add origin URL")
    return ("push", "--set-upstream", "origin", branch)


def push(words: Sequence[str], folder: Path) -> None:
    """Run `git WORDS` likewise. Raises `GitError`."""
    _run(words, folder, "the commit is made, and is not pushed")


def _run(words: Sequence[str], folder: Path, otherwise: str) -> None:
    try:
        ended = subprocess.run(("git", *words), cwd=folder, check=False).returncode
    except FileNotFoundError:
        raise GitError("git is not installed, or not on PATH.", fix="install git 2.38 or newer") from None
    if ended:
        verb = next(word for word in words if word in ("commit", "push"))
        raise GitError(f"git {verb} ended with exit code {ended}: {otherwise}.")
